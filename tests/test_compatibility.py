"""Every cell of the tables of pairs: what it says works trains, what it refuses is refused."""

from pathlib import Path

import pytest
import torch

from vae_zoo.compatibility import CLASSES, models, page, pairs, reason

PAGE = Path(__file__).parent.parent / "docs" / "pairs.md"
X, Y = torch.rand(8, 6).round(), torch.arange(8) % CLASSES


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: "-".join(pair[1:]))
def test_a_pair_trains_or_is_refused_with_a_reason_and_a_way_out(pair):
    if why := reason(pair):
        assert "use --model." in why or "use KL" in why, why
        return
    for vae in models(pair):
        for part in vae._regularizers():
            part.dataset_size = 100
        optimizer = vae.configure_optimizers()
        for step in range(3):
            for part in vae._regularizers():
                part.step = step
            optimizer.zero_grad()
            terms = vae(X, Y)
            (terms.loss if terms.critic is None else terms.loss + terms.critic).backward()
            missing = [name for name, weight in vae.named_parameters() if weight.grad is None]
            assert not missing, "parameters without gradients"
            optimizer.step()
        assert terms.loss.isfinite()
        assert all(weight.isfinite().all() for weight in vae.parameters())


def test_the_page_of_pairs_is_what_the_code_does():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make pages`"

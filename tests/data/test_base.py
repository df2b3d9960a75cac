"""A data module of the user's own, and training that is resumed on one."""

import re
from types import SimpleNamespace

import pytest
import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from vae_zoo.data import DataModule, Digits, Split, Splits


class Circle(DataModule):
    """Points around a circle."""

    shape, support = (2,), "real"

    def load(self):
        angle = torch.rand(200, 1) * 2 * torch.pi
        x = torch.cat([angle.cos(), angle.sin()], dim=1)
        return Splits.at_random(Split(x), val=20, test=20, seed=0)


class Fixed(DataModule):
    """Whatever a test wants to see refused."""

    shape, classes, support = (2,), 3, "unit interval"
    x, y = torch.full((10, 2), 0.5), torch.arange(10) % 3

    def load(self):
        return Splits(Split(self.x, self.y), Split(self.x, self.y), Split(self.x, self.y))


class Recorder(LightningModule):
    """Keeps the batches that it is given."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen = {}

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.seen.setdefault(self.current_epoch, []).append((x, y))
        return self.weight * x.mean()

    def validation_step(self, batch, batch_idx): ...

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def pixels(recorder, epoch):
    return torch.cat([x for x, _ in recorder.seen[epoch]])


@pytest.mark.filterwarnings("ignore:Checkpoint directory")  # a resumed run goes on in its folder
@pytest.mark.parametrize("when", ["after validation", "after the epoch", "after fit"])
def test_a_resumed_run_sees_the_batches_that_it_would_have_seen(make_trainer, tmp_path, when):
    def trainer(epochs):
        early = when == "after the epoch"
        saver = ModelCheckpoint(tmp_path, save_last=True, save_on_train_epoch_end=early)
        return make_trainer(max_epochs=epochs, enable_checkpointing=True, callbacks=[saver])

    whole, half, rest = Recorder(), Recorder(), Recorder()
    make_trainer(max_epochs=4).fit(whole, Digits())
    first = trainer(2)
    first.fit(half, Digits())
    if when == "after fit":
        first.save_checkpoint(tmp_path / "last.ckpt")
    trainer(4).fit(rest, Digits(), ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    assert sorted(rest.seen) == [2, 3]
    for epoch in range(4):
        resumed = pixels(half if epoch < 2 else rest, epoch)
        torch.testing.assert_close(resumed, pixels(whole, epoch), rtol=0, atol=0)
    assert not torch.equal(pixels(whole, 0), pixels(whole, 1))


def test_the_order_follows_the_seed_of_the_process(make_trainer):
    first, other, again = Recorder(), Recorder(), Recorder()
    for recorder, seed in ((first, 0), (other, 1), (again, 0)):
        torch.manual_seed(seed)
        make_trainer(max_epochs=1).fit(recorder, Digits())
    assert torch.equal(pixels(first, 0), pixels(again, 0))
    assert not torch.equal(pixels(first, 0), pixels(other, 0))


def test_data_without_labels_pass_the_trainer(make_trainer):
    recorder = Recorder()
    make_trainer(max_epochs=1).fit(recorder, Circle(batch_size=40))
    assert [y for _, y in recorder.seen[0]] == [None] * 4
    torch.testing.assert_close(pixels(recorder, 0).norm(dim=1), torch.ones(160))


def test_examples_are_read_once():
    ring = Circle()
    ring.setup("fit")
    x = ring.splits.train.x
    ring.setup("test")
    assert ring.splits.train.x is x
    assert ring.size == 160


@pytest.mark.filterwarnings("ignore:the .* examples of the")
def test_examples_lie_in_memory_one_after_the_other():
    class Fortran(Fixed):
        x = torch.full((2, 10), 0.5).T

    assert Fortran().splits.train.x.is_contiguous()


def test_levels_are_bytes_in_memory_and_floats_in_batches():
    class Levels(Fixed):
        support = "256 levels"
        x = torch.arange(20, dtype=torch.uint8).view(10, 2) * 13

    data = Levels(batch_size=10)
    assert data.splits.val.x.dtype == torch.uint8
    (x, _) = next(iter(data.val_dataloader()))
    torch.testing.assert_close(x, torch.arange(20).view(10, 2) * 13 / 255, rtol=0, atol=0)


def test_each_rank_has_its_own_share_of_every_split():
    alone, ranks = Digits(), [Digits(batch_size=32) for _ in range(2)]
    for rank, data in enumerate(ranks):
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2)
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        batches = zip(*(getattr(data, loader)() for data in ranks), strict=True)
        together = [torch.cat([x for x, _ in batch]) for batch in batches]
        torch.testing.assert_close(together, [x for x, _ in getattr(alone, loader)()])


def test_a_batch_size_is_refused_before_training():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Circle(batch_size=0)
    ring = Circle(batch_size=161)
    ring.setup("test")
    with pytest.raises(ValueError, match=r"batch_size must be at most 160: .* got 161"):
        ring.setup("fit")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x": torch.zeros(10, 3)}, r"shape is \(2,\), but its train examples .* \(3,\)"),
        ({"x": torch.zeros(0, 2)}, "the train split has no examples"),
        ({"y": None}, "classes is 3, but its train split has no labels"),
        ({"classes": 0}, "classes is 0, but its train split has labels"),
        ({"y": torch.zeros(9, dtype=torch.long)}, r"one for each of the 10 train .* \(9,\)"),
        ({"y": torch.zeros(10)}, "labels must be int64, .* got torch.float32"),
        ({"classes": 2}, "labels must lie in 0 to 1, .* got 0 to 2"),
        ({"x": torch.full((10, 2), 1.5)}, "support is 'unit interval', but its train .* 1.5"),
        ({"support": "binary"}, "support is 'binary', but its train examples hold 0.5"),
        ({"support": "256 levels"}, "support is '256 levels', but its train examples hold 0.5"),
        ({"support": "real", "x": torch.full((10, 2), torch.nan)}, "example 0 of the train .* nan"),
        ({"support": "grey"}, "support must be one of binary, .* got 'grey'"),
    ],
)
def test_data_that_are_not_what_they_say_are_refused(wrong: dict, message: str):
    data = type("Wrong", (Fixed,), wrong)(batch_size=2)
    with pytest.raises(ValueError, match=message):
        data.setup("fit")


def test_a_random_split_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="leave some of 10 examples to train on, got 5 and 5"):
        Splits.at_random(Split(torch.zeros(10, 2)), val=5, test=5, seed=0)


class Words(DataModule):
    """Numbers of tokens."""

    shape, support = (4, 3), "tokens"
    tokens = torch.randint(3, (30, 4), dtype=torch.uint8)

    def load(self):
        return Splits(Split(self.tokens), Split(self.tokens), Split(self.tokens))


def test_tokens_are_stored_as_numbers_and_seen_one_hot():
    data = Words(batch_size=30)
    [(x, y)] = data.test_dataloader()
    assert x.shape == (30, 4, 3)
    assert torch.equal(x.argmax(-1), Words.tokens.long())
    assert torch.equal(x.sum(-1), torch.ones(30, 4))
    assert y is None


def test_a_token_beyond_the_vocabulary_is_refused():
    data = Words()
    data.tokens = torch.full((30, 4), 3)
    with pytest.raises(ValueError, match=r"tokens must lie in 0 to 2, as .* says, got 3 to 3"):
        data.setup("fit")


class Rotations(DataModule):
    """Images of which y is the turned one, made from the same noise."""

    shape, condition_shape, support = (1, 4, 4), (1, 4, 4), "real"
    y = None

    def load(self):
        x = torch.arange(10 * 16.0).view(10, 1, 4, 4)
        return Splits(Split(x), Split(x), Split(x, self.y))

    def augment(self, x, generator):
        return x + torch.from_numpy(generator.random(x.shape)).float()

    def batch(self, x, y):
        return x, x.rot90(dims=(2, 3))


def test_a_data_module_may_make_the_condition_of_an_augmented_example():
    data = Rotations(batch_size=5)
    for x, y in [*data.train_dataloader(), *data.test_dataloader(), data.examples(3)]:
        assert torch.equal(x.rot90(dims=(2, 3)), y)


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (None, "no conditions"),
        (torch.zeros(10, 1, 4, 5), "conditions of shape (1, 4, 5) and torch.float32"),
        (torch.zeros(10, 1, 4, 4).long(), "conditions of shape (1, 4, 4) and torch.int64"),
    ],
)
def test_conditions_of_another_shape_are_refused(monkeypatch, y, found):
    monkeypatch.setattr(Rotations, "batch", lambda self, x, _: (x, y if y is None else y[: len(x)]))
    with pytest.raises(ValueError, match=re.escape(f"but its train split has {found}")):
        Rotations(batch_size=5).setup("fit")


def test_examples_are_the_same_each_time_and_no_more_than_there_are():
    data = Rotations(batch_size=5)
    assert torch.equal(data.examples(4)[0], data.examples(4)[0])
    assert len(data.examples(4)[0]) == 4
    assert len(data.examples(40)[0]) == 10
    assert len(data.examples(40)[0].view(10, -1)[:, 0].floor().unique()) == 10


def test_a_data_module_says_what_it_is():
    assert str(Rotations()) == "Rotations: real data of shape (1, 4, 4)"

"""The zoo as a page, and a config for each of its classes."""

from pathlib import Path

import pytest

from vae_zoo.catalogue import catalogue, page

ROOT = Path(__file__).parent.parent


def test_the_page_is_that_of_the_zoo():
    shown = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert shown == page(), "make pages writes it"


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_class_says_what_it_is_and_has_a_config(entry):
    assert entry.summary.endswith(".")
    assert f"[{entry.name}](../configs/" in page()

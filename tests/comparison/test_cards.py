import hashlib
import json
from zipfile import ZipFile

import pytest

from vae_zoo.comparison import read


def spoil(file, **changes):
    """Change numbers of the likelihood, or the whole card."""
    content = json.loads(file.read_text())
    content["parts"]["likelihood"]["scores"]["elbo"] |= changes.pop("elbo", {})
    content["parts"]["likelihood"] |= changes.pop("part", {})
    file.write_text(json.dumps(content | changes))


def only_member(path):
    [section] = read([path]).sections
    [member] = section.members
    return member


@pytest.fixture
def file(runs):
    folder = runs.write("a")
    runs.card(folder, likelihood={"elbo": (-20.0, 0.5)})
    return folder / "scorecard.json"


def test_a_run_has_the_numbers_of_its_score_card(runs, file):
    card = only_member(runs.path).card
    assert card.parts["likelihood"].scores == {"elbo": (-20.0, 0.5)}
    assert read([runs.path]).without_card == {}


def test_a_run_without_a_score_card_stays_in_the_tables_and_is_named(runs, file):
    file.unlink()
    comparison = read([runs.path])
    assert comparison.sections[0].runs == 1
    [(reason, [run])] = comparison.without_card.items()
    assert reason == "no scorecard.json: `vae-zoo evaluate RUN` makes one"
    assert run.id == "a"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "scorecard.json is of version 2, and this is a vae_zoo of version 1"),
        ({"version": "long" * 100}, "scorecard.json is of version long"),
        ({"parts": []}, "scorecard.json is no score card"),
        ({"more": 1}, "scorecard.json is no score card"),
        ({"elbo": {"value": float("nan")}}, "scorecard.json is no score card: a number is nan"),
        ({"elbo": {"value": float("-inf")}}, "scorecard.json is no score card: a number is -inf"),
        ({"elbo": {"value": 10**400}}, "int too large"),
        ({"elbo": {"standard_error": float("nan")}}, "a number is -20.0 ± nan"),
        ({"elbo": {"standard_error": float("inf")}}, "a number is -20.0 ± inf"),
        ({"elbo": {"standard_error": -1.0}}, "a number is -20.0 ± -1.0"),
        ({"part": {"setting": [1]}}, "scorecard.json is no score card: setting is [1]"),
        ({"part": {"absent": "all"}}, "scorecard.json is no score card: absent is 'all'"),
    ],
)
def test_a_damaged_score_card_is_left_out_with_the_reason(runs, file, changes, reason):
    spoil(file, **changes)
    member = only_member(runs.path)
    assert member.card is None
    assert member.why_no_card.startswith(reason) or reason in member.why_no_card
    assert str(runs.path) not in member.why_no_card
    assert len(member.why_no_card) <= 200


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_torn_score_card_is_left_out(runs, file, content):
    file.write_bytes(content)
    member = only_member(runs.path)
    assert member.card is None
    assert member.why_no_card


def test_a_folder_in_place_of_a_score_card_is_no_score_card(runs, file):
    file.unlink()
    file.mkdir()
    assert "directory" in only_member(runs.path).why_no_card


def test_only_runs_that_are_in_a_table_lack_a_score_card(runs):
    runs.write("whole", 0)
    runs.write("again", 0)
    runs.write("half", 1, epochs=2)
    [named] = read([runs.path]).without_card.values()
    assert len(named) == 1


def write_checkpoint(folder, content):
    path = folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir(exist_ok=True)
    with ZipFile(path, "w") as archive:
        archive.writestr("weights", content)
    return path


def test_the_score_card_of_an_earlier_checkpoint_is_left_out(runs, file):
    path = write_checkpoint(file.parent, "0.5")
    spoil(file, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert only_member(runs.path).card
    write_checkpoint(file.parent, "0.6")
    assert only_member(runs.path).card is None
    [reason] = read([runs.path]).without_card
    assert reason.startswith("scorecard.json is of another checkpoint")


def test_a_damaged_checkpoint_is_why_there_is_no_card(runs, file):
    path = write_checkpoint(file.parent, "0.5")
    path.write_bytes(path.read_bytes()[:20])
    for _ in range(2):
        assert [*read([runs.path]).without_card] == ["its checkpoint is damaged"]
        file.unlink(missing_ok=True)

import pytest

from vae_zoo.cli import main
from vae_zoo.comparison import read
from vae_zoo.comparison.difference_table import difference_rows
from vae_zoo.comparison.verdict import sentence

UNUSED = "Its codes are hardly used: rate 0.04 nats."


def elbos(runs, values, **model):
    """Runs with seeds 0, 1, … of these ELBOs."""
    for seed, elbo in enumerate(values):
        name = f"run{len(list(runs.path.glob('*')))}"
        terms = {"elbo": elbo, "reconstruction": -elbo - 6.0, "kl": 6.0}
        runs.write(name, seed, terms=terms, **model)


def weight(runs, value, name="KL"):
    return {"regularizer": runs.part("regularizers", name, weight=value)}


def the_answer(path, reference=""):
    [found] = read([path], reference).answers
    return found


def test_the_reference_is_kl_at_weight_1_or_else_the_best_elbo_or_what_is_asked_for(runs):
    elbos(runs, [-10.0], **weight(runs, 2.0, "MMD"))
    elbos(runs, [-12.0], **weight(runs, 4.0))
    assert the_answer(runs.path).reference == "MMD λ=2"
    elbos(runs, [-11.0], **weight(runs, 1.0))
    assert the_answer(runs.path).reference == "KL β=1"
    assert the_answer(runs.path, "KL β=4").reference == "KL β=4"
    with pytest.raises(ValueError, match=r"--reference: there is no group 'KL β=5'. Did you mean"):
        the_answer(runs.path, "KL β=5")


def test_a_group_is_best_only_beyond_noise_and_by_how_much_is_said(runs):
    elbos(runs, [-10.0, -12.0, -11.0], **weight(runs, 1.0))
    elbos(runs, [-12.1, -13.9, -13.0], **weight(runs, 4.0))
    found = the_answer(runs.path)
    [elbo] = found.verdicts
    assert (elbo.leader, elbo.best, elbo.tied, found.best) == ("KL β=1", "KL β=1", [], "KL β=1")
    # Differences 2.1, 1.9, 2.0 by seed: 2 ± 4.303 · 0.1 / √3.
    assert sentence(elbo) == ("KL β=1 is best, −11.00 nats; 2.00 [1.75, 2.25] ahead of KL β=4.")


def test_what_may_be_noise_is_called_equal_and_nothing_is_best(runs):
    elbos(runs, [-10.0, -12.0, -11.0], **weight(runs, 1.0))
    elbos(runs, [-11.0, -11.5, -11.5], **weight(runs, 4.0))
    elbos(runs, [-30.0, -32.0, -31.2], **weight(runs, 8.0))
    found = the_answer(runs.path)
    [elbo] = found.verdicts
    assert (elbo.best, elbo.tied, found.best) == ("", ["KL β=4"], "")
    assert "leads with −11.00 nats, not told apart from KL β=4; 20.0" in found.lines[0][1]
    assert "ahead of KL β=8" in found.lines[0][1]


def test_a_leader_whose_codes_have_collapsed_is_said_to_be_so(runs):
    for seed in range(3):
        for name, rate, value in (("KL", 6.0, 0.5), ("MMD", 0.04, 0.01)):
            terms = {"elbo": -20.0 - seed, "reconstruction": 20.0 + seed - rate, "kl": rate}
            folder = runs.write(f"{name}{seed}", seed, terms=terms, **weight(runs, 1.0, name))
            runs.card(folder, yardsticks={"sliced_wasserstein": value + seed / 1000})
    found = the_answer(runs.path)
    elbo, codes = (words for _, words in found.lines)
    assert found.balance == (
        "MMD λ=1 is best by sliced W₂², and in the lead or not told apart from it by 1 more of 2 "
        f"yardsticks. {UNUSED}"
    )
    assert codes.startswith("MMD λ=1 is best")
    assert codes.endswith(UNUSED)
    assert "KL" in elbo


def test_the_yardsticks_together_name_who_leads_or_may_lead_by_the_most(runs):
    def write(fids):
        """ELBO and codes tell all groups apart; KL leads by the one, and MMD by the other."""
        for name, elbo, far in (("KL", -20.0, 0.5), ("MMD", -25.0, 0.1), ("DIP", -30.0, 0.7)):
            for seed, fid in enumerate(fids[name]):
                terms = {"elbo": elbo - seed, "reconstruction": -elbo + seed - 6.0, "kl": 6.0}
                folder = runs.path / f"{name}{seed}"
                if not folder.exists():
                    runs.write(folder.name, seed, terms=terms, **weight(runs, 1.0, name))
                codes = {"sliced_wasserstein": far + seed / 1000}
                runs.card(folder, yardsticks=codes, samples={"fid/samples": fid})
        return the_answer(runs.path).balance

    fids = {"KL": [3.0, 3.1, 3.2], "MMD": [3.1, 3.0, 3.3], "DIP": [9.0, 9.1, 9.2]}
    more = "in the lead or not told apart from it by 1 more of 3 yardsticks"
    assert write(fids) == f"KL β=1 and MMD λ=1 are each best by 1, and {more}."
    fids["KL"] = [4.0, 4.1, 4.2]
    behind = "5.00 [5.00, 5.00] behind KL β=1 by ELBO"
    assert write(fids) == f"MMD λ=1 is best by sliced W₂² and FID of samples; {behind}."
    fids["KL"] = [2.0, 4.0, 3.0]
    assert write(fids) == f"KL β=1 and MMD λ=1 are each best by 1, and {more}."
    for seed in range(3):  # which leaves MMD without a card, and KL the one that leads by all
        (runs.path / f"MMD{seed}" / "scorecard.json").unlink()
    best = "best by ELBO, sliced W₂² and FID of samples"
    assert the_answer(runs.path).balance == f"KL β=1 is {best}."


def test_a_group_that_is_worse_than_the_reference_counts_as_no_equal_of_the_best(runs):
    """MMD varies so much that it is told apart from the reference, and not from the better KL."""
    far = {"KL 1": [0.30, 0.31, 0.32], "KL 4": [0.29, 0.33, 0.29], "MMD 1": [0.51, 0.53, 0.55]}
    far["DIP 1"] = [0.3, 0.9, 1.9]
    for label, values in far.items():
        name, _, size = label.partition(" ")
        for seed, value in enumerate(values):
            scored(
                runs,
                f"{label}{seed}",
                seed,
                {"sliced_wasserstein": value},
                **weight(runs, float(size), name),
            )
    found = the_answer(runs.path)
    codes = found.verdicts[-1]
    assert (codes.leader, codes.reference) == ("KL β=4", "KL β=1")
    other, difference = codes.behind("MMD λ=1")
    assert other in ("KL β=1", "KL β=4")
    assert difference.beyond_noise
    assert codes.behind("DIP λ=1") is codes.behind("KL β=1") is codes.behind("KL β=4") is None
    assert "MMD" not in found.balance.partition(";")[0]


def test_a_difference_of_ais_within_the_gap_of_its_bounds_is_noise(runs):
    def write(gap):
        for seed in range(3):
            for name, value in (("KL", -20.0), ("MMD", -22.0)):
                folder = runs.path / f"{name}{seed}"
                if not folder.exists():
                    runs.write(folder.name, seed, **weight(runs, 1.0, name))
                runs.card(folder, annealing={"ais": value + seed / 100, "bdmc_gap": gap})
        found = the_answer(runs.path)
        [verdict] = [each for each in found.verdicts if each.yardstick.name == "ais"]
        [(_, cells)] = difference_rows(found, ["KL β=1", "MMD λ=1"])
        return verdict.best, cells[-1].mark, cells[-1].hover

    assert write(1.9)[:2] == ("KL β=1", "worse")
    best, mark, hover = write(2.1)
    assert (best, mark) == ("", "noise")
    assert hover.endswith("within the 2.1 that the number may be off")


def test_kl_of_the_aggregate_is_not_judged_where_the_information_is_at_its_ceiling(runs):
    for seed in range(3):
        for name, information in (("KL", 5.0), ("MMD", 6.5), ("DIP", 5.5)):
            folder = runs.write(f"{name}{seed}", seed, **weight(runs, 1.0, name))
            numbers = {"mutual_information": information, "aggregate_kl": 2.0 + seed / 100}
            runs.card(folder, aggregate=runs.part_of_card("aggregate", numbers, ceiling=6.9))
    [verdict] = [e for e in the_answer(runs.path).verdicts if e.yardstick.name == "aggregate_kl"]
    assert set(verdict.means) == {"KL β=1", "DIP λ=1"}
    assert verdict.reasons == {
        "MMD λ=1": "the mutual information is at its ceiling, and the number no more than the rate "
        "less that"
    }


def test_a_reference_that_needs_more_words_is_told_which(runs):
    elbos(runs, [-10.0], **weight(runs, 1.0))
    elbos(runs, [-12.0], prior="vae_zoo.priors.LearnedNormal", **weight(runs, 1.0))
    whole = r"Did you mean KL β=1 · StandardNormal or KL β=1 · LearnedNormal\?"
    with pytest.raises(ValueError, match=whole):
        the_answer(runs.path, "KL β=1")


def test_groups_of_too_few_seeds_neither_lead_nor_tie(runs):
    elbos(runs, [-10.0, -12.0, -11.0], **weight(runs, 1.0))
    elbos(runs, [-12.1, -13.9, -13.0], **weight(runs, 4.0))
    elbos(runs, [-1.0], **weight(runs, 9.0))
    found = the_answer(runs.path)
    [elbo] = found.verdicts
    assert (elbo.best, elbo.left) == ("KL β=1", 1)
    assert found.lines[0][1].endswith(" 1 more cannot be judged: fewer than 3 seeds in common.")
    assert "fewer than 3 seeds" in elbo.reasons["KL β=9"]


def test_a_reference_without_the_number_leaves_the_others_their_verdict(runs):
    elbos(runs, [-10.0, -12.0, -11.0], **weight(runs, 1.0))
    elbos(runs, [-12.1, -13.9, -13.0], **weight(runs, 4.0))
    point = runs.part("posteriors", "Deterministic")
    for seed in range(3):
        runs.write(f"point{seed}", seed, posterior=point, terms={"reconstruction": 1.0})
    [label] = [g for g in map(str, _labels(runs.path)) if g.endswith("Deterministic")]
    found = the_answer(runs.path, label)
    [elbo] = found.verdicts
    assert elbo.best == "KL β=1"
    assert not elbo.differences
    assert elbo.reasons[elbo.best] == f"{label} has none to be held against"


def _labels(path):
    [section] = read([path]).sections
    return [section.label(group) for group in section.groups]


def test_fewer_than_three_seeds_judge_nothing(runs):
    elbos(runs, [-10.0, -10.1], **weight(runs, 1.0))
    elbos(runs, [-20.0, -20.1], **weight(runs, 4.0))
    found = the_answer(runs.path)
    assert not found.judged
    assert found.too_few
    assert found.best == ""
    assert found.lines == [
        ("ELBO", "KL β=1 has the best mean, −10.05 nats, of too few seeds to judge it.")
    ]
    [(label, [cell])] = difference_rows(found, ["KL β=1", "KL β=4"])
    assert label == "KL β=4"
    assert cell.absent
    assert "fewer than 3 seeds in common" in cell.hover


def test_a_deterministic_posterior_has_no_elbo_to_be_ranked_by(runs):
    elbos(runs, [-10.0, -11.0, -12.0], **weight(runs, 1.0))
    point = runs.part("posteriors", "Deterministic")
    for seed in range(3):
        runs.write(f"point{seed}", seed, posterior=point, terms={"reconstruction": 1.0})
    found = the_answer(runs.path)
    [elbo] = found.verdicts
    reason = "no density: the posterior is deterministic"
    assert elbo.reasons == {"KL β=1 · Deterministic": reason}
    assert list(elbo.means) == ["KL β=1 · DiagonalNormal"]
    assert not found.judged
    assert not found.too_few  # it is not for want of seeds


def scored(runs, name, seed, numbers, n=1000, **model):
    folder = runs.write(name, seed, **model)
    runs.card(folder, yardsticks=runs.part_of_card("yardsticks", numbers, n=n))


def test_yardsticks_of_another_setting_or_latent_dimension_are_not_ranked(runs):
    for seed in range(3):
        value = {"sliced_wasserstein": 0.1 + seed / 100}
        scored(runs, f"a{seed}", seed, value)
        scored(runs, f"b{seed}", seed, value, n=500, **weight(runs, 4.0))
        scored(runs, f"c{seed}", seed, value, latent_dim=2)
    elbo, codes = the_answer(runs.path).verdicts
    assert len(elbo.means) == 3
    assert list(codes.means) == ["KL β=1"]
    assert sorted(codes.reasons.values()) == [
        "500 examples, not 1,000 examples",
        "of 2 latent dimensions, not 8",
    ]


def test_the_lower_is_the_better_where_the_catalogue_says_so(runs):
    for seed in range(3):
        scored(runs, f"a{seed}", seed, {"sliced_wasserstein": 0.5 + seed / 100})
        far = {"sliced_wasserstein": 0.1 + seed / 90}
        scored(runs, f"b{seed}", seed, far, **weight(runs, 4.0))
    found = the_answer(runs.path)
    verdict = next(each for each in found.verdicts if each.yardstick.part == "yardsticks")
    assert verdict.best == "KL β=4"
    [(_, cells)] = difference_rows(found, ["KL β=1", "KL β=4"])
    assert [cell.mark for cell in cells] == ["noise", "better"]
    assert cells[1].text.startswith("−0.39")
    assert "better" in cells[1].hover


def test_the_terminal_tells_the_answer_and_what_the_brackets_are(zoo, capsys, tmp_path):
    with pytest.raises(SystemExit, match="0"):
        main(["compare", str(zoo), "-o", str(tmp_path / "page.html")])
    said = capsys.readouterr().out
    assert the_answer(zoo).balance in " ".join(said.split())
    assert "ELBO: " in said
    assert "paired difference over seeds" in said
    page = (tmp_path / "page.html").read_text()
    assert "Differences from KL β=1" in page
    assert 'class="number better"' in page

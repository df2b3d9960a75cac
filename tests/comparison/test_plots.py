import shlex
from pathlib import Path

import pytest
import yaml

from vae_zoo.comparison import read
from vae_zoo.comparison.multiples import multiples
from vae_zoo.comparison.parallel import parallel
from vae_zoo.comparison.rate_distortion import rate_distortion
from vae_zoo.comparison.run_table import run_rows
from vae_zoo.comparison.style import Style


def parts(path):
    found = read([path])
    [section], [answer] = found.sections, found.answers
    labels = [section.label(group) for group in section.groups]
    return section, {label: Style.number(i) for i, label in enumerate(labels)}, answer


def test_the_front_is_what_no_other_group_beats_in_both_rate_and_distortion(runs):
    points = [(1.0, 20.0), (5.0, 12.0), (6.0, 13.0), (9.0, 8.0), (12.0, 8.5)]
    for i, (rate, loss) in enumerate(points):
        terms = {"elbo": -rate - loss, "reconstruction": loss, "kl": rate}
        runs.write(str(i), latent_dim=i + 1, terms=terms)
    section, styles, _ = parts(runs.path)
    front = next(trace for trace in rate_distortion(section, styles).data if trace.name == "front")
    assert list(zip(front.x, front.y, strict=True)) == [(1.0, 20.0), (5.0, 12.0), (9.0, 8.0)]


def test_parallel_coordinates_have_a_line_for_each_run_through_all_axes(runs):
    for i, (weight, elbo) in enumerate(((0.5, -20.0), (4.0, -30.0), (1.0, -18.0))):
        kl = runs.part("regularizers", "KL", weight=weight)
        terms = {"elbo": elbo, "reconstruction": 10.0, "kl": -10.0 - elbo}
        runs.write(str(i), regularizer=kl, terms=terms)
    figure = parallel(*parts(runs.path))
    assert figure.layout.xaxis.ticktext == ("weight", "ELBO")
    assert {trace.name: trace.y for trace in figure.data} == {
        "KL β=1": pytest.approx((0.5, 1.0)),
        "KL β=0.5": pytest.approx((0.0, 10 / 12)),
        "KL β=4": pytest.approx((1.0, 0.0)),
    }
    written = {(text.x, text.y): text.text for text in figure.layout.annotations}
    assert written == {
        (0, 0.0): "0.5", (0, 0.5): "1", (0, 1.0): "4", (1, 0.0): "−30", (1, 1.0): "−18",
    }  # fmt: skip


def test_runs_of_one_configuration_have_no_parallel_coordinates(runs):
    runs.write("a", 0)
    runs.write("b", 1)
    assert parallel(*parts(runs.path)) is None


def test_each_yardstick_has_its_small_plot_with_the_groups_in_their_order(zoo):
    section, styles, answer = parts(zoo)
    figure = multiples(section, styles, answer)
    titles = [text.text for text in figure.layout.annotations]
    assert titles == [
        "ELBO ↑", "AIS ↑", "KL(q(z)‖p) ↓", "sliced W₂² ↓", "FID of samples ↓", "linear probe ↑",
    ]  # fmt: skip
    assert len(figure.data) == 6 * 6
    labels = [section.label(group) for group in section.groups]
    assert list(figure.layout.yaxis.categoryarray) == labels[::-1]
    estimate = section.groups[0].estimate("elbo")
    assert figure.data[0].x[0] == estimate.mean
    assert figure.data[0].error_x.array[0] == estimate.error


def test_a_run_is_told_by_what_the_reference_has_otherwise_and_repeated_by_its_command(runs):
    runs.write("kl")
    mmd = runs.part("regularizers", "MMD", weight=10.0, kernel="imq")
    folder = runs.write("m m d", 3, regularizer=mmd, latent_dim=2)
    section, _, answer = parts(runs.path)
    kl, other = sorted(run_rows(section, answer.reference, runs.path / "pages"), key=str)
    assert kl.differences == []
    assert other.name == "demo/m m d"
    assert other.seed == "3"
    assert dict(other.differences) == {
        "regularizer": "MMD", "weight": "10", "kernel": "imq", "latent_dim": "2",
    }  # fmt: skip
    assert (runs.path / "pages" / other.config).resolve() == (folder / "config.yaml").resolve()
    *_, flag, file = shlex.split(other.command)
    assert flag == "-c"
    assert yaml.safe_load(Path(file).read_text())["model"]["latent_dim"] == 2

"""What the workspace on W&B shows: the panels, by the library wandb-workspaces, an extra."""

from typing import Any

from wandb_workspaces.reports import v2 as wr
from wandb_workspaces.workspaces import (
    Ordering,
    RunsetSettings,
    Section,
    SectionLayoutSettings,
    Summary,
    Workspace,
    WorkspaceSettings,
)

from vae_zoo.columns import BLOCK
from vae_zoo.evaluation.numbers import find, title

RUNS = 100  # that a panel shows at most; W&B's own limit is 10
COLUMNS = ("regularizer", "weight", "latent_dim", "prior", "data", "seed")  # beside a run's name
TERMS = {
    "elbo": "ELBO",
    "reconstruction": "reconstruction",
    "kl": "KL at weight 1",
    "penalty": "weighted regularizer",
    "loss": "loss, of which each regularizer has its own",
}
SCORES = (
    "importance_sampling",
    "mutual_information",
    "aggregate_kl",
    "active_units",
    "mmd",
    "sliced_wasserstein",
    "two_sample_accuracy",
    "fid/samples",
    "linear_probe",
    "epoch_seconds",
)
PICTURES = (
    "reconstructions",
    "samples",
    "traversals",
    "interpolations",
    "latents",
    "grid",
    "density",
)


def workspace(entity: str, project: str, name: str) -> Workspace:
    """Lay a workspace out: curves, planes, hyper-parameters, score card and pictures."""
    return Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=_sections(),
        settings=WorkspaceSettings(x_axis="epoch", max_runs=RUNS),
        runset_settings=RunsetSettings(
            order=[Ordering(Summary("best/val_elbo"), ascending=False)],
            pinned_columns=[
                *(f"config:{BLOCK}.value.{column}" for column in COLUMNS),
                "summary:best/val_elbo",
                "summary:test/elbo",
            ],
        ),
    )


def _sections() -> list[Section]:
    spread = wr.LinePlot(title="KL of each dimension, nats", x="epoch", y=["kl_of_dimension"])
    pictures = [wr.MediaBrowser(title=name, media_keys=[f"images/{name}"]) for name in PICTURES]
    return [
        _section("Terms", 3, [_curve(term, shown) for term, shown in TERMS.items()]),
        _section("Rate and distortion", 2, [_plane("test"), _plane("val")]),
        _section("Hyper-parameters", 1, [_coordinates()]),
        _section("Score card", 5, [_bars(score) for score in SCORES]),
        _section("Pictures", 3, pictures),
        _section("Latent dimensions", 1, [spread]),
    ]


def _section(name: str, columns: int, panels: list[Any]) -> Section:
    layout = SectionLayoutSettings(columns=columns, rows=-(-len(panels) // columns))
    return Section(name, panels, is_open=True, layout_settings=layout)


def specification(workspace: Workspace) -> str:
    """The JSON that the library would send."""
    spec = workspace._to_model().spec
    return str(spec.model_dump_json(by_alias=True, exclude_none=True, indent=2))


def _column(name: str) -> wr.Config:
    return wr.Config(f"{BLOCK}.{name}")


def _curve(term: str, shown: str) -> wr.LinePlot:
    """A term over epochs: of each regularizer the mean, and from its least run to its largest."""
    return wr.LinePlot(
        title=f"{shown}, nats, validation split",
        x="epoch",
        y=[f"val/{term}"],
        groupby=_column("regularizer"),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=RUNS,
    )


def _plane(split: str) -> wr.ScatterPlot:
    return wr.ScatterPlot(
        title=f"rate and distortion, nats, {split} split",
        x=wr.SummaryMetric(f"{split}/kl"),
        y=wr.SummaryMetric(f"{split}/reconstruction"),
    )


def _coordinates() -> wr.ParallelCoordinatesPlot:
    """Hyper-parameters against the ELBO; W&B leaves out runs that lack one of them."""
    axes = [
        wr.ParallelCoordinatesPlotColumn(
            _column(name), display_name=name.replace("_", " "), log=name == "weight" or None
        )
        for name in ("regularizer", "prior", "latent_dim", "weight")
    ]
    elbo = wr.ParallelCoordinatesPlotColumn(
        wr.SummaryMetric("best/val_elbo"), display_name="best ELBO, validation split"
    )
    return wr.ParallelCoordinatesPlot([*axes, elbo])


def _bars(score: str) -> wr.BarPlot:
    number = find(score)
    better = f", {number.better} is better" if number and number.better else ""
    return wr.BarPlot(
        title=title(score) + better,
        metrics=[f"score/{score}"],
        groupby=_column("regularizer"),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=RUNS,
    )

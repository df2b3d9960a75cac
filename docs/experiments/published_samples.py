"""FID of three Wasserstein autoencoders of MNIST beside those that were published."""

from report import run_section, show, summary

from vae_zoo import compare

PUBLISHED = {"SlicedWasserstein": 30.94, "MMD": 28.71, "CramerWold": 24.22}
COLUMNS = {
    "ours, of samples": "score/fid/samples",
    "of reconstructions": "score/fid/reconstructions",
}


def main() -> None:
    """Show what the score cards have beside what was published."""
    runs = compare("runs/published_samples")
    table = summary(runs, "regularizer", COLUMNS)
    theirs = table["regularizer"].map(PUBLISHED)
    table.insert(1, "cwae-pytorch", theirs.map("{:.2f}".format))
    show("published_samples", table.loc[theirs.sort_values(ascending=False).index])


if __name__ == "__main__":
    run_section(main)

"""A user's file or folder, read by what its name says that it is."""

from collections.abc import Sequence
from pathlib import Path

from vae_zoo.data.contents import (
    ALL,
    Contents,
    Part,
    names_of_arrays,
    read_labels,
    read_npy,
    read_npz,
)

TABLES = (".csv", ".parquet")
ENDINGS = (*TABLES, ".npy", ".npz")


def read_contents(
    path: Path,
    labels: str | None,
    ignore: Sequence[str],
    size: int | None,
    grayscale: bool | None,
) -> Contents:
    """Read examples and labels as they stand in a file or a folder of images.

    Args:
        path: The file or the folder.
        labels: The column or the array of labels, or a file of them, if there are any.
        ignore: Columns of a table to leave out.
        size: Side of the square that images of a folder are cropped and scaled to.
        grayscale: Whether images of a folder become grey.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, or an option is not of such a file.
    """
    if not path.exists():
        raise FileNotFoundError(f"path: there is no {path}")
    folder, ending = path.is_dir(), path.suffix.lower()
    if not folder and ending not in ENDINGS:
        raise ValueError(
            f"path must be a folder of images, or end in {', '.join(ENDINGS)}, got {path}"
        )
    if not folder and (size, grayscale) != (None, None):
        raise ValueError(f"size and grayscale are of a folder of images, got {path}")
    if ignore and (folder or ending not in TABLES):
        raise ValueError(f"ignore is of the columns of a table, got {path}")
    apart = labels_file(labels)
    inside = None if apart else labels
    if inside and (folder or ending == ".npy"):
        raise ValueError(f"labels of {path} must be a file, .npy or .csv, got {inside}")
    # Imported here, since the command line imports all data modules, and would wait for pyarrow.
    if folder:
        from vae_zoo.data.image_folder import read_folder

        contents = read_folder(path, size, grayscale)
    elif ending in TABLES:
        from vae_zoo.data.tables import read_table

        contents = {ALL: read_table(path, inside, ignore)}
    else:
        contents = read_npz(path, inside) if ending == ".npz" else {ALL: Part(read_npy(path))}
    return contents if apart is None else _label(contents, apart, path)


def labels_file(labels: str | None) -> Path | None:
    """The file of labels, where they are no column and no array."""
    if labels is None or Path(labels).suffix.lower() not in (".csv", ".npy"):
        return None
    return Path(labels).expanduser()


def names_in(path: Path) -> list[str]:
    """The names of a table's columns, or of the arrays of an .npz; none of other files.

    Raises:
        ValueError: It cannot be read.
    """
    if path.is_file() and path.suffix.lower() in TABLES:
        from vae_zoo.data.tables import read_columns

        return [*read_columns(path).column_names]
    if path.is_file() and path.suffix.lower() == ".npz":
        return names_of_arrays(path)
    return []


def _label(contents: Contents, labels: Path, path: Path) -> Contents:
    """Add the labels of a file of their own."""
    if [*contents] != [ALL]:
        raise ValueError(f"labels: {path} has splits of its own, and needs its labels inside")
    if not labels.is_file():
        raise FileNotFoundError(f"labels: there is no {labels}")
    return {ALL: contents[ALL]._replace(y=read_labels(labels))}

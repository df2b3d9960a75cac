"""Arrays of numbers from MATLAB's files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def read_mat(path: Path, shapes: dict[str, Sequence[int | None]], source: str) -> list[np.ndarray]:
    """Read arrays of a .mat file of MATLAB 4 to 7.2.

    Args:
        path: The file.
        shapes: Shape of each array, None where a size is free.
        source: Where the file can be had.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is broken, of another version, or lacks an array of numbers of that shape.
    """
    from scipy.io import loadmat  # the command line imports this module, and would wait for scipy

    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: {source} has it")
    try:
        arrays = loadmat(path, variable_names=[*shapes])
    except NotImplementedError as error:
        raise ValueError(
            f"{path} is of MATLAB 7.3: save it with -v7, or take it from {source}"
        ) from error
    except Exception as error:  # a broken file makes scipy raise whatever comes
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}: take it from {source}") from error
    for name, shape in shapes.items():
        array = arrays.get(name)
        wanted = " x ".join("any" if size is None else str(size) for size in shape)
        found = "no numbers"
        if array is not None and array.dtype.kind in "uif":
            found = " x ".join(map(str, array.shape))
            if len(array.shape) == len(shape) and all(
                size in (None, has) for size, has in zip(shape, array.shape, strict=True)
            ):
                continue
        raise ValueError(
            f"{path} should hold numbers {name} of {wanted}, got {found}: take it from {source}"
        )
    return [arrays[name] for name in shapes]

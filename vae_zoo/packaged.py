"""Configs and sweep files that travel with the package, found by name from any folder."""

from pathlib import Path

from vae_zoo.suggestion import did_you_mean

PACKAGE = Path(__file__).parent


def find(kind: str, name: str) -> str:
    """Find a file by its path, or a packaged one by its name.

    Args:
        kind: ``configs`` or ``sweeps``.
        name: A path, such as ``mine.yaml``, or a name, such as ``regularizer/mmd``.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: There is neither.
    """
    if Path(name).is_file():
        return name
    root = PACKAGE / kind if (PACKAGE / kind).is_dir() else PACKAGE.parent / kind
    names = sorted(str(file.relative_to(root).with_suffix("")) for file in root.rglob("*.yaml"))
    bare = name.removeprefix(f"{kind}/").removesuffix(".yaml")
    if bare in names:
        return str(root / f"{bare}.yaml")
    tops = dict.fromkeys(name.partition("/")[0] + "/" * ("/" in name) for name in names)
    meant = did_you_mean(bare, names) or f"Packaged are {', '.join(tops)}."
    raise FileNotFoundError(f"there is no file {name}, and no packaged one of that name. {meant}")

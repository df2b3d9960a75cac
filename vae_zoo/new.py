"""``vae-zoo new``: write a regularizer of the user's own, and its test."""

import keyword
import re
from importlib.util import find_spec
from pathlib import Path
from string import Template

from vae_zoo.catalogue import catalogue

CLASS = Template('''\
"""$name: what pulls the codes of an autoencoder towards its prior."""

from torch import Tensor
from torch.distributions import Distribution

from vae_zoo.regularizers import Regularizer
from vae_zoo.sampling import draw, gather


class $name(Regularizer):
    """‖m - m'‖² + ‖s - s'‖²: means and standard deviations of codes and of prior samples."""

    biased = True  # the divergence of few examples is larger, even where q = p

    def divergence(self, q: Distribution, p: Distribution, z: Tensor) -> Tensor:
        z, y = gather(z), gather(draw(p))  # (n, D), the examples of all devices
        return (z.mean(0) - y.mean(0)).square().sum() + (z.std(0) - y.std(0)).square().sum()
''')
TEST = Template('''\
"""$name keeps the contract of a regularizer, and has the value that is known by other means."""

import torch
from torch.testing import assert_close
from vae_zoo import posteriors
from vae_zoo.contract import check

from $module import $name


def test_${module}_keeps_the_contract():
    assert not [found for found in check($name) if found.holds is False]


def test_codes_that_are_twice_the_samples_of_the_prior_plus_one():
    y = torch.tensor([[-1.0], [0.0], [1.0]])  # mean 0, standard deviation 1
    z = 2 * y + 1
    q, p = posteriors.Delta(z), posteriors.Delta(y)
    # Replace this by what is true of your divergence: here (1 - 0)² + (2 - 1)².
    assert_close($name().divergence(q, p, z), torch.tensor(2.0))
''')
NEXT = Template("""\
wrote $module.py and test_$module.py: change the divergence, then
  vae-zoo check $module.$name
  vae-zoo fit -c base --model.regularizer $module.$name --model.regularizer.weight 10
  in a sweep file, among the values of model.regularizer:
    - {class_path: $module.$name, init_args: {weight: 10.0}}
""")


def write_regularizer(name: str, folder: Path) -> str:
    """Write ``moments.py`` and ``test_moments.py``, both or neither.

    Args:
        name: Name of the class, such as ``Moments``.
        folder: Where to write.

    Returns:
        What to do next.

    Raises:
        ValueError: The name is none of a class, or its module would hide another.
        FileExistsError: There is such a file already.
    """
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(name):
        raise ValueError(f"name must be that of a class, such as StudentT, got {name!r}")
    module = snake_case(name)
    files = {
        folder / f"{module}.py": CLASS,
        folder / f"test_{module}.py": TEST,
    }
    for file in files:
        if file.exists():
            raise FileExistsError(f"{file.name} exists already, and nothing was written")
    if keyword.iskeyword(module) or find_spec(module) is not None:
        raise ValueError(f"name must not be {name}: {module}.py would hide the module {module}")
    words = {"name": name, "module": module}
    try:
        for file, template in files.items():
            with file.open("x", encoding="utf-8") as written:
                written.write(template.substitute(words))
    except OSError:
        for file in files:
            file.unlink(missing_ok=True)
        raise
    known = [entry.name for entry in catalogue() if entry.family == "regularizers"]
    note = f"{name} alone is the zoo's own class: yours is {module}.{name} everywhere\n"
    return NEXT.substitute(words) + (note if name in known else "")


def snake_case(name: str) -> str:
    """``StudentT`` to ``student_t``, ``MMD`` to ``mmd``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()

"""What may become of a file: a value of it is another, or its bytes are."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

JUNK = [
    *(None, True, False, 0, 1, -1, 3, 10**12, -(2**63), 2**63, 10**30),
    *(0.0, -0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan")),
    *(
        "",
        " ",
        "x",
        "1",
        "KL",
        "MMD",
        "VampPrior",
        "Conv",
        "null",
        "[]",
        "{",
        "a b",
        "é",
        "\x1b[2J",
    ),
    *(
        "../x",
        "/etc/passwd",
        "/",
        "~",
        ".",
        "os.system",
        "evil.Evil",
        "torch.hub.load",
        "vae_zoo.x",
    ),
    *(
        "${oc.env:HOME}",
        "${a.b}",
        "${",
        "; rm x",
        "$(touch x)",
        "`touch x`",
        "a\nb",
        "<b>",
        "%s{0}",
    ),
    *([], [1], ["x"], [[1]], [None], {}, {"x": 1}, {"class_path": "KL"}, {"class_path": None}),
    *({"class_path": "os.system", "init_args": {"command": "touch x"}}, {"value": 1}, {1: 2}),
    *({"class_path": "vae_zoo.regularizers.MMD", "init_args": {"kernel": 3}}, {"values": []}),
]


def paths(tree: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in a tree, the root left out."""
    children = tree.items() if isinstance(tree, dict) else []
    children = enumerate(tree) if isinstance(tree, list) else children
    for name, child in children:
        yield (*before, name)
        yield from paths(child, (*before, name))


@st.composite
def trees(draw: st.DrawFn, tree: Any) -> Any:
    """A tree of which a few values are lost, exchanged, renamed or junk."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        places = [*paths(tree)]
        if not places:
            break
        *above, name = draw(st.sampled_from(places))
        parent = tree
        for step in above:
            parent = parent[step]
        match draw(st.sampled_from(["junk", "junk", "lose", "rename", "add", "exchange"])):
            case "junk":
                parent[name] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "lose":
                del parent[name]
            case "rename" if isinstance(parent, dict):
                key = draw(st.sampled_from([f"{name}s", str(name)[:-1], "class_path", 1, None]))
                parent[key] = parent.pop(name)
            case "add" if isinstance(parent, dict):
                key = draw(st.sampled_from(["x", "dict_kwargs", "init_args", "model", "name", ""]))
                parent[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "exchange":
                other = tree
                for step in draw(st.sampled_from(places)):
                    if not isinstance(other, (dict, list)) or step not in [*_keys(other)]:
                        break
                    other = other[step]
                parent[name] = copy.deepcopy(other)
    return tree


def _keys(tree: Any) -> Any:
    return tree if isinstance(tree, dict) else range(len(tree))


@st.composite
def contents(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which a few are changed, lost, added or repeated."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([1, 1, 2, 4, 16, 256])))
        match draw(st.sampled_from(["change", "change", "cut", "lose", "add", "repeat"])):
            case "change":
                new = draw(st.binary(min_size=end - start, max_size=end - start))
                content = content[:start] + new + content[end:]
            case "cut":
                content = content[:start]
            case "lose":
                content = content[:start] + content[end:]
            case "add":
                words = [
                    b"\0",
                    b"\n",
                    b"&a [*a]",
                    b"!!python/name:os.system ",
                    b"\xff",
                    b": ",
                    b",",
                ]
                content = content[:start] + draw(st.sampled_from(words)) + content[start:]
            case "repeat":
                content = content[:end] + content[start:end] * 3 + content[end:]
    return content

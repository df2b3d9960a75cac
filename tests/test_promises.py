"""The page of promises: each is held by a test that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
PROMISES = [line for line in PAGE.splitlines() if line.startswith("| ") and "held by" not in line]
PROMISES = [line for line in PROMISES if not line.startswith("| ---")]


@pytest.mark.parametrize("promise", PROMISES, ids=range(len(PROMISES)))
def test_a_promise_is_held_by_tests_that_are_there(promise):
    held = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
    assert held
    for file, name in held:
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

"""Which pictures there are: bundled builders, and somebody's own beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends import plugins
from backends.results import Result
from viz import figures

RESULT = Result("test", {"odd": np.zeros(3, np.float32)}, {"odd": ("thing",)})
BUILDER = """
import plotly.graph_objects as go

def accepts(result):
    return "odd" in result.arrays

def draw(result, dark=False):
    return go.Figure(go.Bar(y=result.arrays["odd"]))
"""


@pytest.fixture
def add(plugin_folder: Path):
    plugin_folder.joinpath("figures").mkdir()
    return lambda text, name="mine": plugin_folder.joinpath("figures", f"{name}.py").write_text(text)


def test_somebodys_own_builder_draws_what_no_other_can(add) -> None:
    add(BUILDER)
    assert figures.available(RESULT) == ["mine"]
    assert figures.draw(RESULT).data[0].y.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("def draw", "def paint", "mine.py has no draw; a file of its kind has accepts, draw"),
        ("def accepts(result):\n    return", "accepts = not", "mine.py cannot be loaded (NameError"),
    ],
)
def test_a_builder_with_a_fault_is_left_out(add, old: str, new: str, sentence: str) -> None:
    add(BUILDER.replace(old, new, 1))
    add(BUILDER, name="other")
    assert figures.available(RESULT) == ["other"]
    (said,) = plugins.problems()
    assert sentence in said


def test_a_builder_that_fails_at_the_question_draws_nothing_and_is_named(add) -> None:
    add(BUILDER.replace('"odd" in result.arrays', "1 / 0"))
    assert figures.available(RESULT) == [figures.PLAIN]
    assert "accepts fails on a result of test (ZeroDivisionError: division by zero)" in plugins.problems("mine")[0]

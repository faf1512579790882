"""Tokens and names as plain text, and the place of a wanted one on an axis."""

from __future__ import annotations

import dataclasses

import pytest

from backends.errors import Refused
from tests.viz import samples
from viz import figures
from viz.figures.words import index, places, plain, visible


def test_plain_and_visible() -> None:
    assert plain("<b>&%{x}$y$") == "&lt;b&gt;&amp;%\u200b{x}&#36;y&#36;"
    assert visible(" Mary\n") == "·Mary⏎"
    assert visible("   ") == "···"
    assert visible("") == "∅"
    assert visible("\t") == "⇥"
    assert visible("a\u202eb") == "a⟨202E⟩b"
    assert len(visible("x" * 99)) == 32
    assert visible("x" * 99).endswith("…")
    assert places(["the", "the"]) == ["the ₀", "the ₁"]


def test_index_by_label_number_or_end() -> None:
    result = samples.attention()
    assert index(result, "layer", 3, "2") == 2
    assert index(result, "layer", 3, -1) == 2
    shifted = dataclasses.replace(result, labels={**result.labels, "layer": ("4", "5", "6")})
    assert index(shifted, "layer", 3, 5) == 1
    with pytest.raises(Refused, match="no layer '9'; there are: 0, 1, 2"):
        figures.draw(result, layer=9)

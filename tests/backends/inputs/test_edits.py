"""What somebody did to an input is read or refused, and moves with what is swapped."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backends.errors import Refused
from backends.inputs import edits
from backends.inputs.edits import Edits

NOTE = "no fever but severe chest pain"


def test_edits_are_read_or_refused() -> None:
    found = edits.read([[0, 2], [3, 8, "cough"], [0, 0, 500, 500]])
    assert found == Edits(((0, 2),), ((3, 8, "cough"),), ((0, 0, 500, 500),))
    for odd in (
        [1],
        [2, 1],
        [0, 2, 5],
        [-1, 2],
        [0.0, 2],
        [True, 2],
        [0, 0, 0, 10],
        [0, 0, 10, 1001],
        "ab",
        [0, 2, "x" * 201],
    ):
        with pytest.raises(Refused, match=r"is no edit: write \[start, end\] to hide"):
            edits.read([odd])
    with pytest.raises(Refused, match="at most 64"):
        edits.read([[0, 2]] * 65)


def test_a_swap_moves_what_is_hidden_behind_it() -> None:
    text, hidden = edits.swap(NOTE, Edits(((20, 25),), ((3, 8, "a very long cough"), (0, 2, ""))))
    assert text == " a very long cough but severe chest pain"
    ((start, end),) = hidden
    assert text[start:end] == "chest"
    with pytest.raises(Refused, match="two edits overlap"):
        edits.swap(NOTE, Edits(((0, 8),), ((3, 8, "x"),)))
    with pytest.raises(Refused, match="ends at letter 99, and the text has 30"):
        edits.swap(NOTE, Edits(((0, 99),)))


def test_torch_is_not_loaded() -> None:
    said = "import sys, backends.inputs.edits; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said]).returncode == 0

"""Rows of a table: which can be asked for, and what is explained of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backends.errors import Refused
from backends.jobs.table_rows import check_rows, digest_of, part_of, run_of_row, target_of
from backends.requests import MOST_ROWS, MethodOverRows

MODEL: Any = SimpleNamespace(labels=("routine", "urgent"))
ROW = {"digest": "d" * 64, "label": "URGENT", "problem": ""}


def asked(aim: str) -> MethodOverRows:
    named: dict[str, Any] = {"model": "m", "revision": "r", "method": "saliency", "options": {"seed": 1}}
    return MethodOverRows(**named, data="b" * 64, rows=[0], aim=aim)


@pytest.mark.parametrize("rows", [[], [3], [-1], [True], ["0"], [0] * (MOST_ROWS + 1)])
def test_rows_that_are_not_there_are_refused(rows: list[Any]) -> None:
    with pytest.raises(Refused, match=rf"a method goes over 1 to 500 rows of the table at a time, not {len(rows)}"):
        check_rows(rows, 3, "a method goes")
    check_rows([0, 2], 3, "a method goes")


def test_what_is_explained_is_the_own_answer_the_label_or_a_class() -> None:
    assert target_of(MODEL, ROW, "own") is None
    assert target_of(MODEL, ROW, "label") == "urgent"
    assert target_of(MODEL, ROW, "class:routine") == "routine"
    with pytest.raises(Refused, match="this row has no label that could be explained"):
        target_of(MODEL, {**ROW, "label": None}, "label")
    with pytest.raises(Refused, match="the model has no class 'maybe'"):
        target_of(MODEL, ROW, "class:maybe")


def test_a_row_without_input_says_why() -> None:
    with pytest.raises(Refused, match="there is no text in it"):
        digest_of({**ROW, "digest": None, "problem": "there is no text in it"})
    with pytest.raises(Refused, match="this row holds no input"):
        digest_of({**ROW, "digest": None})


def test_the_run_of_a_row_is_that_of_the_attribution_page() -> None:
    run = run_of_row(MODEL, asked("label"), ROW, "occlusion", {"size": 1})
    assert (run.method, run.options, run.input, run.target) == ("occlusion", {"size": 1}, "d" * 64, "urgent")
    same_for_all = run_of_row(MODEL, asked("label"), ROW, "attention_rollout", {})
    assert same_for_all.target is None


def test_parts_fill_the_whole() -> None:
    seen: list[float] = []
    for done in range(2):
        part_of(seen.append, done, 2)(0.5)
    assert seen == [0.25, 0.75]

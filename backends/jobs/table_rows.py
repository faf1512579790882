"""Rows of a kept table, one after another: which are asked for, what is explained of each, and how far one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends import registry
from backends.errors import Refused
from backends.jobs.table_statistics import known
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import MOST_ROWS, DatasetTest, MethodOverRows, Run


def part_of(step: Step, done: int, of: int) -> Step:
    """Return the `step` of one of `of` parts, `done` of which are done."""
    return lambda fraction: step((done + fraction) / of)


def check_rows(asked: Sequence[int], count: int, what: str) -> None:
    """Raise `Refused`, beginning with `what`, unless `asked` are some of the `count` rows, and not too many."""
    if not asked or len(asked) > MOST_ROWS or not all(type(i) is int and 0 <= i < count for i in asked):
        raise Refused(f"{what} over 1 to {MOST_ROWS} rows of the table at a time, not {len(asked)}")


def run_of_row(
    model: Model, request: MethodOverRows | DatasetTest, row: Mapping[str, Any], method: str, options: Mapping[str, Any]
) -> Run:
    """Return the run of one row, as the attribution page asks for it: so each finds what the other computed.

    Raises `Refused` where the row holds no input, or nothing that could be explained.
    """
    digest, target = digest_of(row), target_of(model, row, request.aim)
    return Run(
        model=request.model, revision=request.revision, method=method, options=options, input=digest,
        target=target if registry.method(method).needs_target else None,
    )  # fmt: skip


def digest_of(row: Mapping[str, Any]) -> str:
    """Return the digest under which the input of a kept row is kept. Raises `Refused` where it has none."""
    if not row["digest"]:
        raise Refused(row["problem"] or "this row holds no input")
    return row["digest"]


def target_of(model: Model, row: Mapping[str, Any], aim: str) -> str | None:
    """Return what is explained of a row, see `MethodOverRows`; None is its own answer. Raises `Refused`."""
    if aim == "own":
        return None
    wanted = row["label"] if aim == "label" else aim.removeprefix("class:")
    if not wanted:
        raise Refused("this row has no label that could be explained")
    found = known(str(wanted), model.labels) if model.labels else str(wanted)
    if found is None:
        raise Refused(f"the model has no class {str(wanted)[:60]!r}")
    return found

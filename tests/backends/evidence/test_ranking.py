"""Methods in the order in which a person should believe them."""

from __future__ import annotations

from typing import Any

from backends.evidence import ranking


def audited(verdict: str, value: float | None) -> dict[str, Any]:
    other = {"name": "stand-in", "value": 99.0}
    line = {"name": "hiding", "value": value, "control": [0.0, 1.0], "verdict": verdict, "sentence": "…"}
    return {"receipt": {"lines": [other, line], "verdict": verdict}, "decides": "hiding"}


def test_methods_stand_by_verdict_and_then_by_the_number_that_decides() -> None:
    found = {
        "a": audited("fails", 9.0), "b": audited("holds", 1.0), "c": audited("cannot tell", 5.0),
        "d": audited("holds", 2.0), "e": audited("fails", None),
    }  # fmt: skip
    assert ranking.rank_methods(found) == ["d", "b", "c", "a", "e"]
    assert ranking.find_deciding_line(found["b"])["value"] == 1.0

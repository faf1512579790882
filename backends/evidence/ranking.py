"""Which method's map held best on one input. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from backends.evidence.verdict import CANNOT, FAILS, HOLDS

ORDER = HOLDS, CANNOT, FAILS
"""Verdicts, best first."""


def rank_methods(audits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The methods of `audits`, answers of the job `audit`, best first: by verdict, then by the number that decides."""

    def place(name: str) -> tuple[int, float]:
        value = find_deciding_line(audits[name])["value"]
        return ORDER.index(audits[name]["receipt"]["verdict"]), math.inf if value is None else -value

    return sorted(audits, key=place)


def find_deciding_line(audit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The line of an audit's receipt that decides."""
    return next(line for line in audit["receipt"]["lines"] if line["name"] == audit["decides"])

"""Does a map that claims to add up do so? Σa against f(x) − f(baseline) (Sundararajan et al. 2017, axiom 2).

It certifies the integration, not the location: a shuffled map has the same sum. So it decides nothing about a map,
and a map from elsewhere need not add up at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.evidence.measure import LOWER, Measure
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line

MOST = 0.05
"""The gap up to which a map adds up, as a share of the change."""


def compute_gap(total: float, change: float) -> float:
    """|Σa − Δf| / |Δf|."""
    return abs(total - change) / max(abs(change), 1e-9)


def make_line(total: float, facts: Mapping[str, Any]) -> Line | None:
    """The line of a map whose method claims completeness, None for any other; it costs no forward."""
    if "completeness_gap" not in facts or "baseline_output" not in facts or "output" not in facts:
        return None
    change = float(facts["output"]) - float(facts["baseline_output"])
    found = max(compute_gap(total, change), float(facts.get("local_gap", 0.0)))
    verdict = HOLDS if found <= MOST else FAILS if found > 4 * MOST else CANNOT
    does = "adds up" if found <= MOST else "does not add up"
    sentence = (
        f"The map {does} to the change it explains ({total:.2f} of {change:.2f}, off by {found:.0%} along the way); "
        "that says nothing about where it lies."
    )
    return Line("sum", found, (0.0, MOST), verdict, sentence, {"total": total, "change": change})


ENTRY = Measure(
    title="sum",
    source="Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, axiom 2",
    unit="of the change",
    better=LOWER,
    meaning="the gap between the sum of the map and the change that it explains",
    line=lambda tested: make_line(float(tested.result.arrays["attribution"].sum()), tested.result.facts),
)

"""Whether a map adds up to the change that it explains."""

from __future__ import annotations

from backends.evidence.measures import completeness


def test_completeness_says_whether_a_map_adds_up() -> None:
    facts = {"completeness_gap": 0.0, "output": 5.0, "baseline_output": 1.0}
    assert completeness.make_line(4.0, {}) is None
    good, bad = completeness.make_line(4.0, facts), completeness.make_line(8.0, facts)
    assert good is not None
    assert bad is not None
    assert (good.value, good.verdict) == (0.0, "holds")
    assert (bad.value, bad.verdict) == (1.0, "fails")

"""Shares of a table's rows and the pass rate with its interval."""

from __future__ import annotations

import pytest

from viz.figures import verdicts

ROWS = [
    {"method": "a", "rows": 4, "holds": 3, "cannot_tell": 1, "fails": 0, "rate": 0.75, "low": 0.3, "high": 0.95},
    {"method": "b", "rows": 0, "holds": 0, "cannot_tell": 0, "fails": 0, "rate": 0.0, "low": 0.0, "high": 1.0},
]


@pytest.mark.parametrize("dark", [False, True])
def test_bars_are_shares_and_the_dot_is_the_rate_with_its_interval(dark: bool) -> None:
    figure = verdicts.bars(ROWS, {"a": "Method A"}, dark)
    holds, cannot, fails, rate = figure.data
    assert list(holds.x) == [75, 0]
    assert list(cannot.x) == [25, 0]
    assert list(fails.x) == [0, 0]
    assert len({bar.marker.pattern.shape for bar in (holds, cannot, fails)}) == 3  # colour never tells alone
    assert list(rate.x) == [75, 0]
    assert list(rate.error_x.array) == pytest.approx([20, 100])
    assert list(rate.error_x.arrayminus) == pytest.approx([45, 0])
    assert figure.layout.yaxis.ticktext[0] == "Method A "
    assert figure.layout.barmode == "stack"

"""Every number of one map: what is asked, and how the table reads."""

from __future__ import annotations

from typing import Any

from tests.viz.fakes import TRIAGE
from tests.viz.pages.evidence.audited import words_of
from viz.components import workbench
from viz.pages.evidence import metrics

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
OPTIONS = {"replacement": "mask", "effort": 1, "seed": 0}
ROW: dict[str, Any] = {
    "name": "SRG", "value": 4.25, "unit": "score", "better": "higher", "low": -1.0, "high": 2.0, "p": 0.01,
    "what": "insertion less deletion",
}  # fmt: skip


def test_nothing_is_asked_before_a_method_is_picked() -> None:
    assert metrics.requests(TRIAGE, GIVEN, None, OPTIONS, metrics.NONE) == {}
    assert metrics.requests(TRIAGE, GIVEN, None, OPTIONS, "../etc") == {}
    assert metrics.requests(TRIAGE, None, None, OPTIONS, "saliency") == {}
    made = metrics.requests(TRIAGE, GIVEN, "urgent", OPTIONS, "saliency")["numbers"]
    run = workbench.run_request(TRIAGE, GIVEN, "saliency", {}, "urgent")
    assert made == {**run, "job": "numbers", "receipt": OPTIONS}


def test_the_table_says_value_direction_control_and_meaning() -> None:
    without = {**ROW, "name": "sensitivity", "better": "lower", "low": None, "high": None, "p": None}
    made = metrics.shown({"table": [ROW, without]}, "a" * 64)
    words = words_of(made)
    for said in ("SRG4.25 scorehigher−1.00 to 2.00✓ yes0.010insertion less deletion", "sensitivity4.25 scorelower–––"):
        assert said in words, said
    assert f"/audits/{'a' * 64}/csv" in str(made)


def test_better_means_beyond_all_of_the_control() -> None:
    assert metrics.better(ROW) is True
    assert metrics.better({**ROW, "high": 4.25}) is False  # what a copy reaches, too
    assert metrics.better({**ROW, "better": "lower", "low": 4.5, "high": 9.0}) is True
    assert metrics.better({**ROW, "better": "lower"}) is False
    assert metrics.better({**ROW, "low": None}) is None


def test_the_link_keeps_the_method() -> None:
    fields = {c.id: c for made in metrics.parts({"numbers": "lime"}) for c in made._traverse() if hasattr(c, "id")}
    assert fields["evidence-numbered"].value == "lime"
    assert metrics.parts({})[2].children[0].children[1].value == metrics.NONE
    assert metrics.link_of("lime") == {"numbers": "lime"}
    assert metrics.link_of(metrics.NONE) == {"numbers": ""}

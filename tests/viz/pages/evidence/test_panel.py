"""What a tab of the evidence page connects: its job's question while the tab is open, and its answer."""

from __future__ import annotations

from typing import Any

from dash import no_update

from tests.viz.callbacks import connected, functions
from tests.viz.fakes import TRIAGE, FakeEngine
from viz.components.job_panel import JobPanel
from viz.components.workbench import Workbench
from viz.pages.evidence import receipt_options
from viz.pages.evidence.panel import Panel, ask_while_open

GIVEN = {"digest": "d" * 64, "text": "no fever"}


def wanted(card: Any, given: Any, target: Any, options: Any, *values: Any) -> dict[str, Any]:
    """One job that repeats what it was made of."""
    return {"one": {"model": card["name"], "target": target, "options": options, "values": list(values)}}


def test_a_job_is_asked_for_with_the_options_of_a_receipt_while_its_tab_is_open(engine: FakeEngine) -> None:
    connect = ask_while_open("blind", JobPanel("evidence", "blind", "Testing"), wanted, ("method",))
    ask = functions(lambda app: connect(app, engine, Workbench("evidence")))["ask"]
    page = (TRIAGE, GIVEN, "urgent", "mask", "4", "saliency")
    made = ask(*page, "blind", {})
    assert made == {
        "one": {
            "model": TRIAGE["name"],
            "target": "urgent",
            "options": receipt_options.options(TRIAGE, "mask", "4"),
            "values": ["saliency"],
        }
    }
    assert made["one"]["options"] != receipt_options.options(TRIAGE, "mask", "1")
    assert ask(*page, "blind", made) is no_update
    assert ask(*page, "methods", {}) == {}


def test_a_panel_connects_its_job_its_question_and_its_answer(engine: FakeEngine) -> None:
    called: list[tuple[str, Any, Any]] = []

    def note(name: str) -> Any:
        return lambda app, engine, bench: called.append((name, engine, bench.card))

    job = JobPanel("evidence", "extra", "Testing")
    panel = Panel("blind", "", job, lambda link: [], note("ask"), note("show"), lambda card, given, view: {})
    names = set(connected(panel, engine))
    assert called == [("ask", engine, "evidence-card"), ("show", engine, "evidence-card")]
    alone = set(functions(lambda app: job.register(app, engine)))  # type: ignore[arg-type]
    assert names == alone != set()
    assert panel.unknown({"method": "<b>"}) == []

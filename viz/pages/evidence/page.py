"""Evidence: every method tested on one input, the parts that matter, a table, and a network that knows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, dcc, html, no_update

from backends import registry
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components import links, receipt, shell, workbench
from viz.components.alerts import alert
from viz.components.inputs import PageInput
from viz.components.tabs import tabs
from viz.components.touch import Touch
from viz.pages.evidence import (
    dataset_test,
    important_parts,
    method_ranking,
    metrics,
    randomised_network,
    receipt_options,
)
from viz.pages.evidence.receipt_options import PAGE, part

PATH, TITLE, ORDER = "/evidence", "Evidence", 5
NEEDS = frozenset({"answer"})
"""What a model must offer for this page to have something to show of it."""
QUESTION = "Should you believe these pictures?"

BENCH = workbench.Workbench(PAGE)
TOUCH = Touch(PAGE)
PANELS = (method_ranking.PANEL, metrics.PANEL, important_parts.PANEL, dataset_test.PANEL, randomised_network.PANEL)
TABS = {panel.tab: panel.title for panel in PANELS if panel.title}
FIRST = next(iter(TABS))


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    tab = links.choice(link, "tab", tuple(TABS), FIRST)
    names = ("dark", "opened", "region-of", "data-of", "tests-of", "survey-part")
    bodies = {name: [part for panel in PANELS if panel.tab == name for part in panel.parts(link)] for name in TABS}
    return shell.page(
        PAGE,
        QUESTION,
        "A map of what drove an answer is a claim, and a claim can be wrong. Here it is put to the test: hide what the "
        "map calls important, and see whether the answer follows, more than by chance.",
        BENCH.layout(link),
        [
            *[dcc.Store(id=part(name)) for name in names],
            dcc.Store(id=part("survey-linked"), data=links.text(link, "run") == "1"),
            html.Div([alert(told) for told in unknown(link)], id=part("unknown")),
            html.Div(receipt_options.parts(link), className="panel view-row"),
            html.Div(tabs(PAGE, "Ways to test", TABS, bodies, tab), className="panel"),
            TOUCH.parts(link),
        ],
    )


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that the link asks for and that there is not."""
    found = [
        *links.unknown(link, "tab", TABS, FIRST),
        *[told for panel in PANELS for told in panel.unknown(link)],
        *links.unknown(link, "effort", receipt_options.EFFORTS, "1"),
        *links.unknown(link, "standin", receipt.WORDS, "", "what is usual for the model"),
    ]
    there = registry.entries("methods")
    for name in ("curves", "tests", "method", "numbers"):
        gone = [m for m in links.values(link, name, 20) if m not in there]
        if gone:
            found.append(f"The link asks for {name} {', '.join(gone)[:60]!r}, which there is not: left out.")
    return found


def register(app: Dash, engine: Engine) -> None:
    """Connect the workbench, every panel and the link."""
    BENCH.register(app, engine)
    TOUCH.register(app, engine, BENCH)
    receipt_options.register(app, BENCH.card)
    for panel in PANELS:
        panel.register(app, engine, BENCH)
    _register_link(app)


def _register_link(app: Dash) -> None:
    stores = [name for panel in PANELS for name in panel.stores]
    values = ["standin", "effort", *[name for panel in PANELS for name in panel.values]]

    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        *[Input(store, "data") for store in (BENCH.card, BENCH.input, BENCH.aim, part("tab"))],
        *[Input(part(name), "data") for name in stores],
        *[Input(part(name), "value") for name in values],
        prevent_initial_call=True,
    )
    def remember(card: Card | None, given: Any, target: Any, tab: str, *view: Any) -> Any:
        if not card or not given:
            return no_update
        return link_view(card, given, target, tab, dict(zip([*stores, *values], view, strict=True)))


def link_view(card: Card, given: PageInput, target: Any, tab: str, view: Mapping[str, Any]) -> dict[str, Any]:
    """What the link restores: workbench, options of the tests, and what the open tab shows."""
    params: dict[str, Any] = {
        **workbench.link_params(card, given, target), "tab": "" if tab == FIRST else tab,
        **receipt_options.link_of(card, view["standin"], view["effort"]),
    }  # fmt: skip
    for panel in PANELS:
        params |= panel.link(card, given, view) if panel.tab == tab else {}
    return {"path": PATH, "params": params}

"""Evidence: every method tested on one input, the parts that matter, a table, and a network that knows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from backends import registry
from backends.jobs.engine import Engine
from viz.components import links, receipt, shell, workbench
from viz.components.alerts import alert
from viz.components.tabs import tabs
from viz.pages.evidence import (
    dataset_test,
    important_parts,
    method_ranking,
    metrics,
    randomised_network,
    receipt_options,
    region,
)
from viz.pages.evidence.receipt_options import PAGE, part

PATH, TITLE, ORDER = "/evidence", "Evidence", 5
QUESTION = "Should you believe these pictures?"

BENCH = workbench.Workbench(PAGE)
TABS = {
    "methods": "All methods",
    "parts": "Which parts matter at all",
    "survey": "Over a data set",
    "blind": "When explanations lie",
}


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    tab = links.choice(link, "tab", tuple(TABS), "methods")
    names = ("dark", "opened", "region-of", "data-of", "tests-of", "survey-part")
    panels = {
        "methods": method_ranking.parts(link),
        "parts": important_parts.parts(link),
        "survey": dataset_test.parts(link),
        "blind": randomised_network.parts(link),
    }
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
            html.Div(tabs(PAGE, "Ways to test", TABS, panels, tab), className="panel"),
        ],
    )


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that the link asks for and that there is not."""
    rates, leasts, efforts = important_parts.RATES, important_parts.LEASTS, receipt_options.EFFORTS
    found = [
        *links.unknown(link, "tab", TABS, "methods"), *links.unknown(link, "q", rates, "0.1"),
        *links.unknown(link, "least", leasts, "0.05"), *links.unknown(link, "effort", efforts, "1"),
        *links.unknown(link, "standin", receipt.WORDS, "", "what is usual for the model"),
    ]  # fmt: skip
    there = registry.entries("methods")
    for name in ("curves", "tests", "method", "numbers"):
        gone = [m for m in links.values(link, name, 20) if m not in there]
        if gone:
            found.append(f"The link asks for {name} {', '.join(gone)[:60]!r}, which there is not: left out.")
    return found


def register(app: Dash, engine: Engine) -> None:
    """Connect the workbench, the four tabs and the link."""
    BENCH.register(app, engine)
    receipt_options.register(app, BENCH.card)
    for tab in (method_ranking, important_parts, dataset_test, randomised_network):
        tab.register(app, engine, BENCH)
    _register_link(app)


def _register_link(app: Dash) -> None:
    edges = [f"box-{edge}" for edge in region.EDGES]
    named = (
        "standin", "effort", "region", "region-words", *edges, "curve-methods", "numbered", "rate", "least", "data",
        "labelled", "rows", "row-aim", "tests", "method", "same",
    )  # fmt: skip

    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input(part("tab"), "data"),
        Input(part("survey-same"), "data"),
        *[Input(part(name), "value") for name in named],
        State(part("region-area"), "className"),
        prevent_initial_call=True,
    )
    def remember(card, given, aim, tab, surveyed, *values):  # type: ignore[no-untyped-def]
        if not card or not given:
            return no_update
        view = dict(zip(named, values, strict=False))
        return link_view(card, given, aim, tab, bool(surveyed), view)


def link_view(
    card: Mapping[str, Any], given: Mapping[str, Any], aim: Any, tab: str, surveyed: bool, view: Mapping[str, Any]
) -> dict[str, Any]:
    """What the link restores: workbench, options of the tests, and what the open tab shows."""
    params: dict[str, Any] = {
        **workbench.link_params(card, given, aim), "tab": "" if tab == "methods" else tab,
        **receipt_options.link_of(card, view["standin"], view["effort"]),
    }  # fmt: skip
    if tab == "methods":
        box = [view[f"box-{edge}"] for edge in region.EDGES]
        params |= region.link_of(card, given, view["region"], box, view["region-words"])
        params["curves"] = ",".join(view["curve-methods"] or [])
        params["numbers"] = "" if view["numbered"] == metrics.NONE else view["numbered"]
    elif tab == "parts":
        params |= important_parts.link_of(view["rate"], view["least"])
    elif tab == "survey":
        params |= dataset_test.link_of(
            view["data"], view["labelled"], view["rows"], view["row-aim"], view["tests"] or [], surveyed
        )
    else:
        params |= randomised_network.link_of(card, view["method"], view["same"])
    return {"path": PATH, "params": params}

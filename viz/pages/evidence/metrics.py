"""Every number that the literature asks for, of one method's map: worked out when somebody picks the method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, html, no_update

from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Metrics
from viz.components import links, offers, workbench
from viz.components.alerts import alert
from viz.components.job_panel import Answers, JobPanel, document, reasons
from viz.components.labelled_select import labelled_select
from viz.components.receipt import number
from viz.pages.evidence import receipt_options
from viz.pages.evidence.panel import Panel, ask_while_open
from viz.pages.evidence.receipt_options import PAGE, part

NUMBERS = JobPanel(PAGE, "numbers", "Working out every number")
NONE = "none"
CHOOSE = {"label": "choose a method", "value": NONE}
READING = (
    "Other tools and papers report these. They decide nothing here: some have no scale of their own, and most have to "
    "be read against their control, what chance or a moved copy of the same map reaches."
)


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The picker and the place of the table, as the link left them."""
    wanted = links.text(link, "numbers", most=60)
    options = [CHOOSE, *([{"label": wanted, "value": wanted}] if wanted else [])]
    return [
        html.H2("Every number"),
        html.P(READING, className="reading"),
        html.Div([labelled_select(part("numbered"), "Of the map by", options, wanted or NONE)], className="view-row"),
        NUMBERS.parts(),
        html.Div(id=part("numbers-shown"), role="status"),
    ]


def ask(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Offer the methods, and ask for the numbers of the one that is chosen."""

    @app.callback(
        Output(part("numbered"), "options"),
        Output(part("numbered"), "value"),
        Input(bench.card, "data"),
        State(part("numbered"), "value"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, wanted: Any) -> Any:
        there = offers.offered(card, "attribution") if card else {}
        options = [CHOOSE, *({"label": entry.title, "value": name} for name, entry in there.items())]
        return (options, wanted if wanted in there else NONE) if card else (no_update, no_update)

    ask_while_open("methods", NUMBERS, requests, ("numbered",))(app, engine, bench)


def show(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect the answer with the table."""

    @app.callback(
        Output(part("numbers-shown"), "children"),
        Input(NUMBERS.answers, "data"),
        prevent_initial_call=True,
    )
    def tabulate(answers: Answers | None) -> Any:
        found, key, why = document(engine, answers, "numbers")
        if found is not None:
            return shown(found, key)
        return alert(why) if why and "numbers" not in reasons(answers) else []  # the job's own sentence stands above


def requests(card: Any, given: Any, aim: Any, options: Mapping[str, Any], method: Any) -> dict[str, Any]:
    """The job of the numbers, which are worked out with the usual effort; none while something is missing."""
    if not receipt_options.ready(card, given) or method not in offers.offered(card, "attribution"):
        return {}
    run = workbench.run_request(card, given, method, {}, aim)
    options = receipt_options.of_run(run, {**options, "effort": 1}, aim)
    return {"numbers": Metrics.of_run(run, options).plain()}


def shown(document: Mapping[str, Any], key: str) -> list[Any]:
    """The table and its files."""
    heads = ("number", "value", "better", "its control", "better than that", "p", "what it says")
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    rows = [_row(row) for row in document["table"]]
    caption = html.Caption("Every number of the map", className="visually-hidden")
    table = html.Table([caption, head, html.Tbody(rows)], className="table table-sm strongest numbers-table")
    return [
        html.Div(table, className="table-scroll"),
        receipt_options.downloads(key, "every number"),
    ]


def _row(row: Mapping[str, Any]) -> html.Tr:
    bounds = "–" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
    beyond = better(row)
    cells = [
        html.Td([html.B(number(row["value"])), html.Span(f" {row['unit']}", className="hint")]),
        html.Td(row["better"]),
        html.Td(bounds),
        html.Td("–" if beyond is None else "✓ yes" if beyond else "✗ no"),
        html.Td("–" if row["p"] is None else f"{row['p']:.3f}"),
        html.Td(row["what"]),
    ]
    return html.Tr([html.Th(row["name"], scope="row"), *cells])


def better(row: Mapping[str, Any]) -> bool | None:
    """Whether the number is better than all of its control's range; None where it has none."""
    if row["low"] is None:
        return None
    return row["value"] > row["high"] if row["better"] == "higher" else row["value"] < row["low"]


def link_of(method: Any) -> dict[str, str]:
    """What the link carries: only what differs from the usual."""
    return {"numbers": "" if method == NONE else method}


PANEL = Panel(
    tab="methods",
    title="",
    job=NUMBERS,
    parts=parts,
    ask=ask,
    show=show,
    link=lambda card, given, view: link_of(view["numbered"]),
    values=("numbered",),
)

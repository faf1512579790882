"""One method over every row of a table, as one job: the form, the job, and what it shows. Ids are `data-<part>`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import MOST_ROWS, MethodOverRows
from backends.results import Result
from viz import theme
from viz.components import attribution_summary, heat_canvas, links, offers, option_form
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.job_panel import Answers, JobPanel, answer_keys
from viz.components.labelled_select import labelled_select
from viz.components.offers import by_order
from viz.components.workbench import Target
from viz.figures import mean_words
from viz.pages.data import table_view

PAGE = "data"
Rows = Sequence[Mapping[str, Any]]
SWEEP = JobPanel(PAGE, "sweep", "Computing row by row")
OVER = {"all": "all rows", "wrong": "only wrong answers", "shown": "the rows that the filters show"}


def part(name: str) -> str:
    """The id of one part of the page."""
    return f"{PAGE}-{name}"


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The form and the places of what it gives, as the link left them."""
    wanted = links.text(link, "method", most=60)
    aim = links.text(link, "aim", "own", most=200)
    own = [{"label": "each row's own answer", "value": "own"}] + (
        [{"label": aim, "value": aim}] if aim != "own" else []
    )
    over = [{"label": words, "value": name} for name, words in OVER.items()]
    canvas = heat_canvas.heat_canvas(part("heat"), "Mean map over the table")
    return [
        html.H2("The same method over the whole table"),
        html.P(
            "What drives the answers on the whole? Each row is computed as its own page would, and kept: a job that "
            "you stop goes on where it was, and every row then opens at once.",
            className="hint",
        ),
        html.Div(
            [
                labelled_select(
                    part("method"), "Method", [{"label": wanted, "value": wanted}] if wanted else [], wanted or None
                ),
                labelled_select(part("aim"), "Explain", own, aim),
                labelled_select(part("over"), "Over", over, links.choice(link, "over", tuple(OVER), "all")),
                html.Div(html.Button("Compute", id=part("run"), type="button", className="btn btn-sm btn-primary")),
            ],
            className="sweep-row",
        ),
        html.Details([html.Summary("Options"), html.Div(id=part("form"))], className="mt-2"),
        html.Div(id=part("sweep-problem"), role="alert", className="problem"),
        SWEEP.parts(),
        html.Div(id=part("sweep-said"), role="status"),
        html.Div(
            [
                html.Div([html.Div(canvas, id=part("heat-area"), className="d-none"), html.Div(id=part("words"))]),
                html.Div(id=part("sweep-table"), className="table-scroll"),
            ],
            className="swept",
        ),
    ]


def register(app: Dash, engine: Engine, answers: str, rows_of: Callable[[Any], Rows]) -> None:
    """Connect the form to the job, and the job to its pictures and to the rows.

    `answers` is the store of the table's own job, `rows_of` gives the grid's rows for what it holds.
    """
    SWEEP.register(app, engine)
    heat_canvas.register(app, part("heat"))
    _register_form(app)
    _register_request(app, answers, rows_of)
    _register_found(app, engine, answers, rows_of)


def _register_form(app: Dash) -> None:
    @app.callback(
        Output(part("method"), "options"),
        Output(part("method"), "value"),
        Output(part("aim"), "options"),
        Output(part("aim"), "value"),
        Input(part("card"), "data"),
        Input(part("table"), "data"),
        State(part("method"), "value"),
        State(part("aim"), "value"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, table: Any, method: Any, aim: Target) -> Any:
        if not card:
            return [no_update] * 4
        there = offers.offered(card, "attribution")
        methods = [{"label": entry.title, "value": name} for name, entry in there.items()]
        chosen = method if method in there else next(iter(by_order(list(there))), None)
        aims = aim_options(card, table)
        return methods, chosen, aims, aim if aim in [a["value"] for a in aims] else "own"

    @app.callback(
        Output(part("form"), "children"),
        Input(part("method"), "value"),
        State(part("card"), "data"),
        State(part("options"), "data"),
        prevent_initial_call=True,
    )
    def form(method: Any, card: Card | None, options: Any) -> Any:
        if not card or method not in offers.offered(card, "attribution"):
            return []
        allowed = {"baseline": ("default", *card.get("stand_ins", ()))}
        return option_form.form(PAGE, method, (options or {}).get(method), allowed)

    option_form.register(app, PAGE, part("options"))


def _register_request(app: Dash, table_answers: str, rows_of: Callable[[Any], Rows]) -> None:
    """The job, asked for by the button or by the link."""

    @app.callback(
        Output(SWEEP.requests, "data"),
        Output(part("sweep-problem"), "children"),
        Output(part("linked"), "data", allow_duplicate=True),
        Input(part("run"), "n_clicks"),
        Input(table_answers, "data"),
        State(part("card"), "data"),
        State(part("table"), "data"),
        State(part("method"), "value"),
        State(part("aim"), "value"),
        State(part("over"), "value"),
        State(part("options"), "data"),
        *[State(part(name), "value") for name in ("label", "predicted", "outcome", "find")],
        State(part("linked"), "data"),
        prevent_initial_call=True,
    )
    def run(
        _clicks: int | None,
        answered: Answers | None,
        card: Card | None,
        table: Any,
        method: Any,
        aim: Target,
        over: Any,
        options: Any,
        label: Any,
        predicted: Any,
        outcome: Any,
        find: Any,
        linked: Any,
    ) -> Any:
        asked_now = part("run") in set(ctx.triggered_prop_ids.values()) or (linked or {}).get("run")
        rows = rows_of(answered) if asked_now and card and table else []
        if card is None or not rows:
            return {}, [], no_update
        try:
            wanted, cut = over_rows(rows, over, label, predicted, outcome, find or "")
            request = sweep_request(card, table, method, (options or {}).get(method, {}), aim, wanted)
        except Refused as refused:
            return {}, alert(str(refused)), no_update
        return {"sweep": request}, html.Div(cut, className="hint") if cut else [], {**(linked or {}), "run": False}


def _register_found(app: Dash, engine: Engine, table_answers: str, rows_of: Callable[[Any], Rows]) -> None:
    """What the job found: its picture, its sentences and a column of the grid."""

    @app.callback(
        Output(part("swept"), "data"),
        Output(part("sweep-said"), "children"),
        Output(part("heat-area"), "className"),
        Output(f"{part('heat')}-spec", "data"),
        Output(part("words"), "children"),
        Output(part("sweep-table"), "children"),
        Output(part("grid"), "columnDefs", allow_duplicate=True),
        Input(SWEEP.answers, "data"),
        Input(part("dark"), "data"),
        State(table_answers, "data"),
        State(part("card"), "data"),
        prevent_initial_call=True,
    )
    def swept(answers: Answers | None, dark: bool | None, answered: Answers | None, card: Card | None) -> Any:
        key = answer_keys(answers).get("sweep", "")
        rows = rows_of(answered) if key and card else []
        if card is None or not rows:
            return None, [], "d-none", None, [], [], no_update
        result = engine.store.get_result(key)
        kind = "text" if "mean" in result.arrays else "image"
        columns = table_view.columns(card, kind, rows, result.method)
        return table_view.swept(result), said_of(result, key, len(rows)), *pictures(result, key, bool(dark)), columns


def aim_options(card: Card, table: Any) -> list[dict[str, str]]:
    """What of each row can be explained."""
    labelled = [{"label": "each row's label", "value": "label"}] if table and table["labels"] else []
    classes = [{"label": f"“{c}”", "value": f"class:{c}"} for c in list(card["labels"])[:200]]
    return [{"label": "each row's own answer", "value": "own"}, *labelled, *classes]


def over_rows(rows: Rows, over: Any, label: str, predicted: str, outcome: str, find: str) -> tuple[list[int], str]:
    """The places (from 0) of the rows that the method goes over, and a sentence when they were too many."""
    if over == "shown":
        there = [r["n"] - 1 for r in rows if table_view.matches(r, label, predicted, outcome, find) and r["digest"]]
    else:
        there = [r["n"] - 1 for r in rows if r["digest"] and (over != "wrong" or r["outcome"] == "wrong")]
    if not there:
        raise Refused(f"there is no row to compute: none is among {OVER.get(over, 'those chosen')}")
    if len(there) <= MOST_ROWS:
        return there, ""
    kept = [there[i * len(there) // MOST_ROWS] for i in range(MOST_ROWS)]
    return kept, f"{MOST_ROWS} of {len(there):,} rows, spread evenly: that many go through a method at a time."


def sweep_request(
    card: Card, table: Mapping[str, Any], method: Any, options: Any, aim: Any, rows: list[int]
) -> dict[str, Any]:
    """The job that computes a method over rows of the table. Raises `Refused`."""
    if method not in offers.offered(card, "attribution"):
        raise Refused(f"{card['name']} has no method {str(method)[:40]!r} for this; choose one of the list")
    if aim not in [a["value"] for a in aim_options(card, table)]:
        raise Refused(f"{str(aim)[:40]!r} cannot be explained here; choose one of the list")
    return MethodOverRows(
        model=card["name"], revision=card["revision"], method=method, options=option_form.checked(method, options),
        data=table["id"], rows=rows, aim=aim if registry.method(method).needs_target else "own",
    ).plain()  # fmt: skip


def said_of(result: Result, key: str, count: int) -> list[Any]:
    """What was computed, over how many rows, and what could not be."""
    facts = result.facts
    said: list[Any] = [
        html.B(registry.method(result.method).title),
        f" for {result.target}: mean of {facts['mean_of']} of {count:,} rows, in {result.unit or 'no unit'}.",
    ]
    lost = [f"Row {int(i) + 1}: {why}" for i, why in list(facts["problems"].items())[:5]]
    among = ", among them" if len(facts["problems"]) > len(lost) else ""
    more = f"{table_view.counted(len(facts['problems']))} could not be computed{among}: "
    told = alert(more + "; ".join(lost)) if lost else ""
    return [html.P(said, className="mb-1 mt-2"), told, *table_view.sweep_downloads(key)]


def pictures(result: Result, key: str, dark: bool) -> tuple[str, Any, Any, Any]:
    """Class of the map's area, its spec, the words' bars and the table beside."""
    title = registry.method(result.method).title
    if "mean" in result.arrays:
        graph = dcc.Graph(figure=mean_words.draw(result, dark=dark), config=theme.config("words"), id=part("bars"))
        return "d-none", None, [graph, exports(key, part("bars"), title, link=False)], table_view.words_table(result)
    spec = heat_canvas.spec(
        part("heat"), f"Mean of {title}", heat_canvas.map_url(key, "attribution"), quantity="mean attribution",
        value=heat_canvas.value_url(key, "attribution"), image=heat_canvas.image_url(key), opacity=0.7, height=420,
        controls=("opacity", "threshold", "colours", "stretch"),
    )  # fmt: skip
    beside = [
        attribution_summary.strongest_table(result, "The strongest squares of the mean map"),
        html.P("The picture below the map is the mean of the rows' pictures.", className="hint"),
        exports(key, part("heat"), title, link=False),
    ]
    return "", spec, [], beside

"""How often each method's maps hold over the rows of a table: the form, the job that goes on, bars and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.inputs import datasets
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import MOST_ROWS, DatasetTest, is_key, key_of
from viz import theme
from viz.components import links, offers, option_form, receipt, workbench
from viz.components.alerts import alert
from viz.components.job_panel import CANCELLED, Answers, JobPanel, Requests, answer_keys, in_words, reasons
from viz.components.labelled_select import labelled_select
from viz.components.workbench import Target
from viz.figures import verdicts
from viz.pages.data import method_over_rows
from viz.pages.evidence import receipt_options
from viz.pages.evidence.panel import Panel
from viz.pages.evidence.receipt_options import EFFORTS, PAGE, part

SURVEY = JobPanel(PAGE, "survey", "Testing row by row", tell=False)
ROWS = 30
QUICK = 200
"""Runs of the model up to which a method is ticked at first."""
PLANTED = "random_map"
CONTROL = "A map drawn at random"
OTHER = "What is shown was tested with other settings than those above; press the button to test with these."
ANY = "·any"
EXAMPLES = {"image": ("radiograph",), "text": ("triage", "names")}
TITLES = {"triage": "Triage notes (120)", "radiograph": "Chest films (80)", "names": "Sentences (60)"}
READING = (
    "One input proves little. Here each method explains many rows of a table, and every map takes the test. The last "
    "row is a control: a map drawn at random, which should hardly ever hold. In a short text it may hit the one word "
    "that matters by luck."
)


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The form and the places of what it gives, as the link left it."""
    data, aim = links.text(link, "data", most=64), links.text(link, "aim", "own", most=200)
    labelled, chosen = links.text(link, "labelled", ANY, most=200), links.values(link, "tests", 20)
    rows = links.number(link, "rows", ROWS, 1, MOST_ROWS)
    own = {"own": "each row's own answer"} | ({aim: aim} if aim != "own" else {})
    only = {ANY: "all rows"} | ({labelled: labelled} if labelled != ANY else {})
    return [
        html.P(READING, className="reading"),
        html.Div(
            [
                labelled_select(part("data"), "Table", [{"label": data, "value": data}] if data else [], data or None),
                labelled_select(
                    part("labelled"), "Rows", [{"label": w, "value": v} for v, w in only.items()], labelled
                ),
                html.Div(
                    [
                        html.Label("How many of them", htmlFor=part("rows"), className="form-label"),
                        dbc.Input(id=part("rows"), type="number", min=1, max=MOST_ROWS, step=1, value=rows, size="sm",
                                  debounce=True),
                    ]
                ),
                labelled_select(part("row-aim"), "Explain", [{"label": w, "value": v} for v, w in own.items()], aim),
            ],
            className="sweep-row",
        ),
        html.Div(id=part("data-said"), className="hint mt-1"),
        html.Div(id=part("data-problem"), role="alert"),
        dcc.Store(id=part("survey-same")),
        html.Fieldset(
            [
                html.Legend("Methods", className="form-label"),
                dbc.Checklist(id=part("tests"), options=[{"label": m, "value": m} for m in chosen], value=chosen,
                              inline=True, class_name="method-list"),
            ],
            className="mt-2",
        ),
        html.Div(
            [
                html.Button("Test over the table", id=part("survey-run"), type="button",
                            className="btn btn-sm btn-primary"),
                html.Span("Every receipt is kept: a job that you stop goes on where it was.", className="hint"),
            ],
            className="apply-row",
        ),
        html.Div(id=part("survey-problem"), role="alert", className="problem"),
        SURVEY.parts(),
        html.Div(id=part("survey-other"), role="status"),
        html.Div(id=part("survey-said"), role="status"),
        html.Figure(
            dcc.Graph(id=part("verdicts"), config=theme.config("verdicts"), responsive=True), id=part("verdicts-area"),
            className="d-none", **{"aria-label": "How often each method's maps hold; the same as a table below"},
        ),
        html.Div(id=part("survey-table"), className="table-scroll"),
        html.Div(id=part("survey-end")),
    ]  # fmt: skip


def ask(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect table and methods with the job that the button starts."""
    _register_form(app, engine, bench)
    _register_job(app, engine, bench)
    _register_same(app, bench)


def _register_form(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    @app.callback(
        Output(part("data"), "options"),
        Output(part("data"), "value"),
        Output(part("tests"), "options"),
        Output(part("tests"), "value"),
        Output(part("tests-of"), "data"),
        Output(part("data-problem"), "children"),
        Output(part("survey-linked"), "data", allow_duplicate=True),
        Input(bench.card, "data"),
        State(part("data"), "value"),
        State(part("tests"), "value"),
        State(part("tests-of"), "data"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, data: Any, chosen: list[Any] | None, of: Any) -> Any:
        if not card:
            return [no_update] * 7
        there = tables(engine, card, data)
        kept = data if data in there else next(iter(there), None)
        methods = sorted(offers.offered(card, "attribution"), key=lambda name: registry.method(name).usual_runs())
        wanted = [m for m in (chosen or []) if m in methods] if of in (None, card["name"]) else []
        return (
            [{"label": words, "value": id} for id, words in there.items()], kept,
            [{"label": registry.method(m).title, "value": m} for m in methods],
            wanted or [m for m in methods if registry.method(m).usual_runs() <= QUICK], card["name"],
            alert(lost(card)) if data and data != kept and data not in TITLES else [],
            no_update if data in (None, "", kept) else False,
        )  # fmt: skip

    @app.callback(
        Output(part("data-of"), "data"),
        Output(part("data-said"), "children"),
        Output(part("labelled"), "options"),
        Output(part("labelled"), "value"),
        Output(part("row-aim"), "options"),
        Output(part("row-aim"), "value"),
        Input(part("data"), "value"),
        Input(bench.card, "data"),
        Input(part("tab"), "data"),
        State(part("labelled"), "value"),
        State(part("row-aim"), "value"),
        State(part("data-of"), "data"),
        prevent_initial_call=True,
    )
    def describe(data: Any, card: Card | None, tab: str, labelled: Any, aim: Target, before: Any) -> Any:
        if not card or not data or tab != "survey":
            return [no_update] * 6
        try:
            found = described(engine, card, data)
        except Refused as refused:
            return None, str(refused), *[no_update] * 4
        only = {ANY: "all rows"} | {label: f"only “{label}”" for label in found["labels"]}
        aims = method_over_rows.aim_options(card, {"labels": bool(found["labels"])})
        return (
            no_update if found == before else found, told(found),
            [{"label": w, "value": v} for v, w in only.items()], labelled if labelled in only else ANY,
            aims, aim if aim in [a["value"] for a in aims] else "own",
        )  # fmt: skip


def lost(card: Card) -> str:
    """Why the table that a link names is not offered."""
    return (
        f"The table of this link is not kept on this machine, or {card['name']} does not read what it holds: choose "
        "one of these, or give it again on the Data page."
    )


def tables(engine: Engine, card: Card, linked: Any) -> dict[str, str]:
    """The tables that suit the model, by name or id: examples, and the one that a link names."""
    kind = "image" if "pixels" in card["offers"] else "text"
    found = {name: TITLES[name] for name in EXAMPLES[kind]}
    if card["name"] == "bundled/names":
        found = {name: found[name] for name in reversed(found)}
    if is_key(linked):
        try:
            document = datasets.fetch(engine.store, linked)
        except Refused:
            return found
        if document["kind"] == kind:
            return {linked: f"your table: {str(document['name'])[:40]} ({len(document['rows'])})", **found}
    return found


def described(engine: Engine, card: Card, data: str) -> dict[str, Any]:
    """The table of a name or an id, kept: its `id`, `labels`, and the places of the rows of each label. `Refused`."""
    if {"captions", "pair"} & set(card["offers"]):
        raise Refused(f"{card['name']} compares two inputs, and a row of a table holds one: test one input instead")
    id = datasets.keep(engine.store, datasets.make_example(data)) if data in TITLES else data
    document = datasets.fetch(engine.store, id)
    by: dict[str, list[int]] = {}
    usable = [i for i, row in enumerate(document["rows"]) if row["digest"]]
    for i in usable:
        if document["rows"][i]["label"]:
            by.setdefault(str(document["rows"][i]["label"]), []).append(i)
    return {"id": id, "name": document["name"], "labels": {k: by[k] for k in sorted(by)[:200]}, "rows": usable}


def told(found: Mapping[str, Any]) -> list[Any]:
    """What the table holds, and where to give one's own."""
    many = len(found["rows"])
    return [
        f"{many:,} rows. ",
        dcc.Link("Give your own table on the Data page", href="/data"),
        ", then open this page from there.",
    ]


def _register_job(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    @app.callback(
        Output(SURVEY.requests, "data"),
        Output(part("survey-problem"), "children"),
        Output(part("survey-linked"), "data"),
        Input(part("survey-run"), "n_clicks"),
        Input(part("data-of"), "data"),
        Input(bench.card, "data"),
        State(part("labelled"), "value"),
        State(part("rows"), "value"),
        State(part("row-aim"), "value"),
        State(part("tests"), "value"),
        State(part("standin"), "value"),
        State(part("effort"), "value"),
        State(part("survey-linked"), "data"),
        State(SURVEY.requests, "data"),
        prevent_initial_call=True,
    )
    def run(
        _clicks: int | None,
        table: Any,
        card: Card | None,
        labelled: Any,
        many: Any,
        aim: Target,
        tests: list[Any] | None,
        standin: Any,
        effort: Any,
        linked: Any,
        before: Any,
    ) -> Any:
        pressed = part("survey-run") in set(ctx.triggered_prop_ids.values())
        if not card or not table or not (pressed or linked):
            return no_update if is_of(before, card, table) else {}, [], no_update
        try:
            options = receipt_options.options(card, standin, effort)
            request = survey_request(card, table, labelled, many, aim, tests or [], options)
        except Refused as refused:
            return {}, alert(str(refused)), False
        return {"survey": request}, [], False


def _register_same(app: Dash, bench: workbench.Workbench) -> None:
    names = ("labelled", "rows", "row-aim", "tests", "standin", "effort")

    @app.callback(
        Output(part("survey-same"), "data"),
        Output(part("survey-other"), "children"),
        Input(SURVEY.requests, "data"),
        Input(bench.card, "data"),
        Input(part("data-of"), "data"),
        *[Input(part(name), "value") for name in names],
        prevent_initial_call=True,
    )
    def compare(
        asked: Requests | None,
        card: Card | None,
        table: Any,
        labelled: Any,
        many: Any,
        aim: Target,
        tests: list[Any] | None,
        standin: Any,
        effort: Any,
    ) -> Any:
        if not asked or not card or not table:
            return False, []
        try:
            options = receipt_options.options(card, standin, effort)
            same = survey_request(card, table, labelled, many, aim, tests or [], options) == asked["survey"]
        except Refused:
            same = False
        return same, [] if same else html.P(OTHER, className="hint")


def is_of(asked: Any, card: Any, table: Any) -> bool:
    """Whether what was asked for, if anything, is about this model and this table."""
    request = (asked or {}).get("survey")
    if not request:
        return True
    named = card and (request["model"], request["revision"]) == (card["name"], card["revision"])
    return bool(named and table and request["data"] == table["id"])


def survey_request(
    card: Card, table: Mapping[str, Any], labelled: Any, many: Any, aim: Any, tests: Sequence[str],
    options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The job that tests `tests` over rows of the table, spread evenly. Raises `Refused`."""
    if not isinstance(many, int) or not 1 <= many <= MOST_ROWS:
        raise Refused(f"give a whole number of rows, from 1 to {MOST_ROWS}")
    there = table["rows"] if labelled not in table["labels"] else table["labels"][labelled]
    if not there:
        raise Refused("this table has no row that holds an input; choose another")
    offered = offers.offered(card, "attribution")
    chosen = [m for m in tests if m in offered]
    if not chosen:
        raise Refused("no method is ticked; tick at least one")
    count = min(many, len(there))
    rows = [there[i * len(there) // count] for i in range(count)]
    return DatasetTest(
        model=card["name"], revision=card["revision"], data=table["id"], rows=rows, aim=aim or "own",
        methods={m: option_form.checked(m, {}) for m in chosen}, receipt=dict(options),
    ).plain()  # fmt: skip


def show(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect the job with bars and numbers, also while it runs."""

    @app.callback(
        Output(part("survey-part"), "data"),
        Input(SURVEY.poll, "n_intervals"),
        State(SURVEY.requests, "data"),
        State(part("survey-part"), "data"),
        prevent_initial_call=True,
    )
    def fill(_ticks: int | None, asked: Requests | None, before: Any) -> Any:
        found = partial(engine, asked)
        return no_update if found is None or found == before else found

    @app.callback(
        Output(part("verdicts"), "figure"),
        Output(part("verdicts"), "style"),
        Output(part("verdicts-area"), "className"),
        Output(part("survey-said"), "children"),
        Output(part("survey-table"), "children"),
        Output(part("survey-end"), "children"),
        Input(SURVEY.answers, "data"),
        Input(part("survey-part"), "data"),
        Input(part("dark"), "data"),
        State(SURVEY.requests, "data"),
        prevent_initial_call=True,
    )
    def draw(answers: Answers | None, so_far: Any, dark: bool | None, asked: Requests | None) -> Any:
        found, key, why = read(engine, answers, so_far, asked)
        if not found or not any(row["rows"] for row in found["table"]):
            return no_update, no_update, "d-none", alert(in_words(why)) if why else [], [], []
        figure = verdicts.bars(found["table"], titles(found["table"]), bool(dark))
        style = {"height": f"{figure.layout.height}px"}
        told = [*said(found, why, bool(key)), html.P(tested_how(asked), className="hint")]
        return figure, style, "figure-box", told, table(found["table"]), ending(found, key)


def partial(engine: Engine, asked: Any) -> dict[str, Any] | None:
    """What the job has so far, with the key of its request as `asked`; None where it shows nothing."""
    request = (asked or {}).get("survey")
    if not request:
        return None
    key = key_of(request)
    preview = engine.state(key).preview
    return {**preview, "asked": key} if isinstance(preview, Mapping) and "table" in preview else None


def read(engine: Engine, answers: Any, so_far: Any, asked: Any) -> tuple[dict[str, Any] | None, str, str]:
    """What there is, whole or in part, the key of the whole, and a sentence where it is not whole."""
    request = (asked or {}).get("survey")
    if not request:
        return None, "", ""
    key = answer_keys(answers).get("survey", "")
    why = reasons(answers).get("survey", "")
    if key == key_of(request):
        try:
            return engine.store.get_document(key), key, ""
        except Refused as refused:
            why = str(refused)
    here = so_far and so_far.get("asked") == key_of(request)
    return (so_far if here else None), "", why


def leading(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Which method holds most often, or which several do; or that none ever does."""
    best = max(rows, key=lambda row: row["rate"])
    if not best["holds"]:
        return [html.B("No method's map held"), f" on any of {_rows(best['rows'])}."]
    names = [titles([row])[row["method"]] for row in rows if row["rate"] == best["rate"]]
    first = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    hold = "holds" if len(names) == 1 else "hold"
    return [html.B(first), f" {hold} most often: in {best['holds']} of {_rows(best['rows'])} ({_share(best)})."]


def tested_how(asked: Any) -> str:
    """On which model, with what in the place of hidden parts, and how hard was tested; whatever is picked by now."""
    request = (asked or {}).get("survey")
    if not request:
        return ""
    options = request["receipt"]
    stand_in = receipt.WORDS.get(options["replacement"], options["replacement"])
    return f"{request['model']}; hidden parts became {stand_in}; tested {EFFORTS[str(options['effort'])]}."


def titles(table: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What each row is called."""
    return {
        row["method"]: CONTROL if row["method"] == PLANTED else registry.method(row["method"]).title for row in table
    }


def said(found: Mapping[str, Any], why: str, whole: bool) -> list[Any]:
    """Which method holds most often, what the control does, and how far the job has come."""
    rows = [row for row in found["table"] if row["method"] != PLANTED and row["rows"]]
    control = next((row for row in found["table"] if row["method"] == PLANTED and row["rows"]), None)
    parts: list[Any] = []
    if rows:
        parts.append(html.P(leading(rows), className="score"))
    if control:
        holds = control["holds"]
        verdict = "none held" if not holds else f"{holds} held, by luck"
        drawn = f"{control['rows']} map{'' if control['rows'] == 1 else 's'}"
        parts.append(html.P(f"Of {drawn} drawn at random {verdict}, {control['fails']} failed."))
    if not whole:
        done = min((row["rows"] for row in found["table"]), default=0)
        words = in_words(CANCELLED) + " Press the button to go on." if why == CANCELLED else why
        parts.append(html.P(words or f"So far {done} of {_rows(found['rows'])}.", className="hint"))
    return parts


def _share(row: Mapping[str, Any]) -> str:
    return f"{100 * row['rate']:.0f} %, 95 % interval {100 * row['low']:.0f} to {100 * row['high']:.0f} %"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def table(rows: Sequence[Mapping[str, Any]]) -> html.Table:
    """The counts, pass rates and intervals."""
    heads = ("method", "rows", "holds", "cannot tell", "fails", "pass rate", "95 % interval")
    named = titles(rows)
    body = [
        html.Tr(
            [
                html.Th(named[row["method"]], scope="row"),
                *[html.Td(str(row[n])) for n in ("rows", "holds", "cannot_tell", "fails")],
                html.Td(f"{100 * row['rate']:.0f} %"),
                html.Td(f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %"),
            ],
            className="control-row" if row["method"] == PLANTED else "",
        )
        for row in rows
    ]
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    caption = html.Caption("How often each method's maps hold", className="visually-hidden")
    return html.Table([caption, head, html.Tbody(body)], className="table table-sm strongest")


def ending(found: Mapping[str, Any], key: str) -> list[Any]:
    """What could not be, and where to take the numbers."""
    lost = [
        html.Li(f"{titles([{'method': m}])[m]}: {_rows(about['rows'])} could not be tested: {about['first']}")
        for m, about in found["problems"].items()
    ]
    gone = [html.Li(f"{registry.method(m).title}: {why}") for m, why in found["withdrawn"].items()]
    return [
        html.Ul(lost + gone, className="remarks") if lost or gone else "",
        receipt_options.downloads(key, "the pass rates") if key else "",
    ]


def link_of(data: Any, labelled: Any, many: Any, aim: Any, tests: Sequence[str], ran: bool) -> dict[str, str]:
    """What the link carries: only what differs from the usual, and whether it was computed."""
    return {
        "data": str(data or ""), "labelled": labelled if labelled != ANY else "",
        "rows": str(many) if isinstance(many, int) and many != ROWS else "", "aim": aim if aim != "own" else "",
        "tests": ",".join(tests), "run": "1" if ran else "",
    }  # fmt: skip


def view_link(card: Any, given: Any, view: Mapping[str, Any]) -> dict[str, Any]:
    """What the link carries of the form, and whether what it says was computed."""
    data, labelled, many, aim = (view[name] for name in ("data", "labelled", "rows", "row-aim"))
    return link_of(data, labelled, many, aim, view["tests"] or [], bool(view["survey-same"]))


PANEL = Panel(
    tab="survey",
    title="Over a data set",
    job=SURVEY,
    parts=parts,
    ask=ask,
    show=show,
    link=view_link,
    values=("data", "labelled", "rows", "row-aim", "tests"),
    stores=("survey-same",),
)

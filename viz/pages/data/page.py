"""Data: a model's answers to a whole table of your own, how often they are right, and one method over all of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash_ag_grid import AgGrid

from backends.errors import Refused
from backends.inputs import datasets
from backends.inputs.turns import READING
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Table
from viz import theme
from viz.components import inputs, links, offers, option_form, shell
from viz.components.alerts import alert
from viz.components.exports import copy_link
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, if_new
from viz.components.labelled_select import labelled_select
from viz.components.model_picker import ModelPicker
from viz.figures import confusion
from viz.pages.data import method_over_rows, table_view
from viz.pages.data.method_over_rows import PAGE, SWEEP, part
from viz.pages.data.table_view import ANY, OUTCOMES

PATH, TITLE, ORDER = "/data", "Data", 7
NEEDS = frozenset({"answer"})
"""What a model must offer for this page to have something to show of it."""
QUESTION = "How does it do on my own data?"

PICKER = ModelPicker(PAGE)
TABLE = JobPanel(PAGE, "answer", "Asking the model row by row")
NEWCOMER = {"bundled/triage": "triage", "bundled/names": "names"}
"""The example table that suits a shipped model; the films suit all that read pictures."""
TITLES = {"triage": "Triage notes", "radiograph": "Chest films", "names": "Sentences"}


# Layout


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    linked = {"data": links.text(link, "data", most=64), "run": links.text(link, "run") == "1"}
    sentence = (
        "Give a folder of images or a table of texts. Every row is answered; where labels are there, you see how "
        "often the answer is right, and where it is not."
    )
    stores = {"linked": linked, "card": None, "table": None, "rows": None, "swept": None, "dark": None}
    main = [
        *[dcc.Store(id=part(name), data=value) for name, value in stores.items()],
        dcc.Store(id=part("options"), data=linked_options(link)),
        TABLE.parts(),
        html.Div(
            [
                html.Section(_score_parts(), className="panel", **{"aria-label": "How often it is right"}),
                html.Section(_grid_parts(link), className="panel", **{"aria-label": "Rows"}),
                html.Section(
                    method_over_rows.parts(link), className="panel", **{"aria-label": "A method over the table"}
                ),
            ],
            id=part("found"),
            className="d-none",
        ),
    ]
    return shell.page("data", QUESTION, sentence, [_model_panel(link), _data_panel()], main, "Model and data")


def linked_options(link: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the method in a link, under its name; nonsense is left out."""
    try:
        given = json.loads(links.text(link, "options") or "{}")
    except (ValueError, RecursionError):
        return {}
    return {links.text(link, "method"): given} if isinstance(given, dict) else {}


def _model_panel(link: Mapping[str, Any]) -> html.Section:
    name = PICKER.wanted(link)
    if name == "bundled/names" and "model" not in link:
        name = next((c["name"] for c in PICKER.cards() if c["task"] == "text-classification"), name)
    return html.Section(
        [html.H2("Model"), *PICKER.parts(name)],
        className="panel",
        **{"aria-label": "Model"},
    )


def _data_panel() -> html.Section:
    return html.Section(
        [
            html.H2("Data"),
            html.Div(
                [
                    html.Button(
                        title, id={"type": part("example"), "name": name}, className="example", type="button",
                        title=datasets.EXAMPLES[name],
                    )
                    for name, title in TITLES.items()
                ],
                className="examples", role="group", **{"aria-label": "Example tables"},
            ),
            dcc.Upload(
                html.Span("Choose a CSV, images or a zip, or drop them here", className="upload-words"),
                id=part("files"), multiple=True, max_size=-1, className="upload",
            ),
            html.Label("or a folder, CSV or zip where Vitrine runs", htmlFor=part("path"), className="form-label or"),
            html.Div(
                [
                    dbc.Input(id=part("path"), maxlength=1000, placeholder="~/films · notes.csv", size="sm"),
                    html.Button("Read", id=part("read"), type="button", className="btn btn-sm btn-primary"),
                ],
                className="path-row",
            ),
            html.Div(
                "Sub-folders, or a labels.csv (file, label), name the labels of images. Nothing leaves that machine.",
                className="hint",
            ),
            html.Div(
                [
                    labelled_select(part("text-column"), "Texts in"),
                    labelled_select(part("label-column"), "Labels in"),
                ],
                id=part("columns"), className="column-row d-none",
            ),
            html.Div(id=part("problem"), role="alert", className="problem"),
            html.Div(id=part("mismatch"), role="alert", className="problem"),
            html.Div(id=part("notes"), className="note", role="status"),
        ],
        className="panel",
        **{"aria-label": "Data"},
    )  # fmt: skip


def _score_parts() -> list[Any]:
    graph = dcc.Graph(id=part("confusion"), config=theme.config("confusion"))
    return [
        html.H2("How often it is right"),
        html.Div(id=part("score"), role="status"),
        html.Div(
            [
                html.Div(graph, id=part("matrix"), className="d-none"),
                html.Div(id=part("classes"), className="table-scroll"),
            ],
            className="score-row",
        ),
    ]


def _grid_parts(link: Mapping[str, Any]) -> list[Any]:
    def kept(name: str) -> tuple[list[dict[str, str]], str]:
        value = links.text(link, name, ANY, most=200)
        return [{"label": v.lstrip("·"), "value": v} for v in dict.fromkeys((ANY, value))], value

    outcomes = [{"label": words, "value": name} for name, words in OUTCOMES.items()]
    outcome = links.choice(link, "outcome", tuple(OUTCOMES), ANY)
    return [
        html.H2("Rows"),
        html.Div(
            [
                labelled_select(part("label"), "Label", *kept("label")),
                labelled_select(part("predicted"), "Answer", *kept("predicted")),
                labelled_select(part("outcome"), "Which", outcomes, outcome),
                html.Div(
                    [
                        html.Label("Find", htmlFor=part("find"), className="form-label"),
                        dbc.Input(id=part("find"), value=links.text(link, "find", most=200), size="sm", debounce=0.25),
                    ]
                ),
            ],
            className="filters",
        ),
        html.Div(
            [
                html.Span(id=part("count"), className="count", role="status"),
                html.Button("Show all", id=part("all"), type="button", className="export"),
                html.Div(id=part("downloads")),
                copy_link(),
            ],
            className="filters-end",
        ),
        AgGrid(
            id=part("grid"),
            columnDefs=[],
            rowData=[],
            getRowId="params.data.id",
            filterModel=linked_filter(link),
            defaultColDef={"sortable": True, "filter": True,  "resizable": True,
                           "wrapHeaderText": True, "autoHeaderHeight": True},
            dashGridOptions=grid_options("text"),
            className="ag-theme-vitrine",
            style={"height": "30rem"},
            enableEnterpriseModules=False,
            dangerously_allow_code=False,
        ),
        html.Div("A click on a row, or Space, shows it below; arrow keys walk through the cells.", className="hint"),
        html.Div(id=part("row"), className="row-panel mt-3", role="status"),
    ]  # fmt: skip


def grid_options(kind: str) -> dict[str, Any]:
    """How the grid behaves: rows of pictures are higher."""
    return {
        "rowHeight": 64 if kind == "image" else 40,
        "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
        "tooltipShowDelay": 400,
        "enableCellTextSelection": True,
        "ensureDomOrder": True,
        "localeText": {"noRowsToShow": "No row matches these filters."},
    }


def linked_filter(link: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of the grid's own headings, as a link has them; nonsense is left out."""
    try:
        found = json.loads(links.text(link, "filter") or "{}")
    except (ValueError, RecursionError):
        return {}
    known = {"n", "name", "text", "label", "predicted", "probability", "outcome", "problem", "swept"}
    return {k: v for k, v in found.items() if k in known and isinstance(v, dict)} if isinstance(found, dict) else {}


# Callbacks


def register(app: Dash, engine: Engine) -> None:
    """Connect model → data → answers → table and matrix → rows, and the method over them."""
    PICKER.register(app, engine)
    TABLE.register(app, engine)
    app.clientside_callback(ClientsideFunction("data", "opened"), Input(PICKER.card, "data"))
    _register_data(app, engine)
    _register_request(app)
    _register_answers(app, engine)
    _register_rows(app, engine)
    method_over_rows.register(app, engine, TABLE.answers, lambda answers: rows_of(engine, answers))
    _register_link(app)


def _register_data(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(part("table"), "data"),
        Output(part("linked"), "data"),
        Output(part("notes"), "children"),
        Output(part("problem"), "children"),
        Output(part("columns"), "className"),
        Output(part("text-column"), "options"),
        Output(part("text-column"), "value"),
        Output(part("label-column"), "options"),
        Output(part("label-column"), "value"),
        Output(part("files"), "contents"),
        Input(part("card"), "data"),
        Input({"type": part("example"), "name": ALL}, "n_clicks"),
        Input(part("read"), "n_clicks"),
        Input(part("path"), "n_submit"),
        Input(part("files"), "contents"),
        Input(part("text-column"), "value"),
        Input(part("label-column"), "value"),
        State(part("files"), "filename"),
        State(part("path"), "value"),
        State(part("table"), "data"),
        State(part("linked"), "data"),
        prevent_initial_call=True,
    )
    def give(
        card: Card | None,
        examples: Any,
        _read: int | None,
        _enter: int | None,
        files: Any,
        text: Any,
        label: Any,
        names: Any,
        path: Any,
        table: Any,
        linked: Any,
    ) -> Any:
        if not card:
            return [no_update] * 10
        triggers = list(ctx.triggered_prop_ids.values())
        picked = next((t["name"] for t in triggers if isinstance(t, dict)), None) if any(examples) else None
        found: dict[str, Any] | None
        try:
            if picked:
                found = described(engine, "", picked)
            elif part("files") in triggers:
                found = described(engine, uploaded(engine, files, names))
            elif part("read") in triggers or part("path") in triggers:
                found = described(engine, opened(engine, path or ""))
            elif part("text-column") in triggers or part("label-column") in triggers:
                found = rechosen(engine, table, text, label)
            else:
                found = first_table(engine, card, table, (linked or {}).get("data", ""))
        except Refused as refused:
            return no_update, no_update, no_update, alert(str(refused)), *[no_update] * 5, None
        if found is None:
            return [no_update] * 10
        return found, {**(linked or {}), "data": ""}, noted(found), [], *column_fields(found), None


def _register_request(app: Dash) -> None:
    """The job that asks the model about every row."""

    @app.callback(
        Output(TABLE.requests, "data"),
        Output(part("mismatch"), "children"),
        Input(part("table"), "data"),
        Input(part("card"), "data"),
        State(TABLE.requests, "data"),
        prevent_initial_call=True,
    )
    def ask(table: Any, card: Card | None, before: Any) -> Any:
        requests, why = asked(card, table)
        return if_new(requests, before), alert(why) if why else []


def uploaded(engine: Engine, contents: Any, names: Any) -> str:
    """The id of the table in uploaded files. Raises `Refused`."""
    with READING.turn():
        files = []
        for content, name in zip(contents or [], names or [], strict=False):
            try:
                files.append((str(name), base64.b64decode(str(content).partition(",")[2], validate=True)))
            except ValueError:
                raise Refused("the upload broke off; try again") from None
        return datasets.keep(engine.store, datasets.open_files(files))


def opened(engine: Engine, path: str) -> str:
    """The id of the table at a path on the server's disk. Raises `Refused`."""
    with READING.turn():
        return datasets.keep(engine.store, datasets.open_path(path))


def described(engine: Engine, id: str, example: str = "") -> dict[str, Any]:
    """What the page keeps of a table: its id, its kind, its columns and the sentences on it."""
    id = datasets.keep(engine.store, datasets.make_example(example)) if example else id
    found = datasets.fetch(engine.store, id)
    labels = sorted({row["label"] for row in found["rows"] if row["label"]})
    return {
        "id": id, "example": example, "kind": found["kind"], "name": found["name"], "count": len(found["rows"]),
        "notes": found["notes"], "columns": found.get("columns"), "choices": found.get("choices"),
        "labels": labels[:50],
    }  # fmt: skip


def rechosen(engine: Engine, table: Any, text: Any, label: Any) -> dict[str, Any] | None:
    """The same file with other columns, None when they are those of the table."""
    label = "" if label in (None, ANY) else label
    if not table or not table.get("columns") or [text, label] == table["columns"]:
        return None
    with READING.turn():
        return described(engine, datasets.choose(engine.store, table["id"], str(text), str(label)))


def first_table(engine: Engine, card: Card, table: Any, linked: str) -> dict[str, Any] | None:
    """The table to show with a model: that of the link, the one that is there, else an example that suits."""
    if linked:
        return described(
            engine, "" if linked in datasets.EXAMPLES else linked, linked if linked in datasets.EXAMPLES else ""
        )
    if table and (not table["example"] or table["example"] == suiting(card)):
        return table
    return described(engine, "", suiting(card)) if suiting(card) else table


def suiting(card: Card) -> str:
    """The example table for a model; empty where none fits."""
    if "image" in inputs.reads(card):
        return "radiograph"
    return NEWCOMER.get(card["name"], "names" if "next_token" in card["offers"] else "triage")


def noted(table: Mapping[str, Any]) -> list[Any]:
    """What was found in the data."""
    labels = f", {len(table['labels'])} label{'s' * (len(table['labels']) > 1)}" if table["labels"] else ", no labels"
    rows = f"{table['count']:,} {table['kind']}{'s' * (table['count'] != 1)}{labels}"
    notes = [html.Li(note) for note in table["notes"]]
    name = html.Div([html.B(table["name"]), "" if table["example"] else f": {rows}"])
    return [name, html.Ul(notes, className="remarks") if notes else ""]


def column_fields(table: Mapping[str, Any]) -> list[Any]:
    """The pickers of the text's and the label's column: class, and options and value of each."""
    if not table.get("columns"):
        return ["column-row d-none", [], None, [], None]
    options = [{"label": c, "value": c} for c in table["choices"]]
    none = [{"label": "no labels", "value": ANY}]
    return ["column-row", options, table["columns"][0], none + options, table["columns"][1] or ANY]


def asked(card: Any, table: Any) -> tuple[dict[str, Any], str]:
    """The job that answers the table, or the sentence why this model cannot."""
    if not card or not table:
        return {}, ""
    reads = "image" if "image" in inputs.reads(card) else "text"
    if reads != table["kind"]:
        return {}, (
            f"{table['name']} holds {table['kind']}s and {card['name']} reads {reads}s: "
            "choose another model above, or other data"
        )
    return {"table": Table(model=card["name"], revision=card["revision"], data=table["id"]).plain()}, ""


def _register_answers(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(part("rows"), "data"),
        Output(part("found"), "className"),
        Output(part("score"), "children"),
        Output(part("classes"), "children"),
        Output(part("downloads"), "children"),
        Output(part("grid"), "columnDefs"),
        Output(part("grid"), "dashGridOptions"),
        Output(part("label"), "options"),
        Output(part("label"), "value"),
        Output(part("predicted"), "options"),
        Output(part("predicted"), "value"),
        Output(part("row"), "children"),
        Input(TABLE.answers, "data"),
        State(part("card"), "data"),
        State(part("table"), "data"),
        State(part("label"), "value"),
        State(part("predicted"), "value"),
        prevent_initial_call=True,
    )
    def show(answers: Answers | None, card: Card | None, table: Any, label: Any, predicted: Any) -> Any:
        key = answered(answers)
        if not key or not card or not table:
            return None, "d-none", *[no_update] * 10
        given, answer = both(engine, key)
        rows, summary = table_view.grid_rows(given["rows"], answer["rows"]), answer["summary"]
        notes = [html.Li(text) for text in table_view.remarks(summary)]
        said = [*table_view.headline(summary), html.Ul(notes, className="remarks") if notes else ""]
        return (
            rows, "", said, table_view.by_class(summary), [table_view.downloads(key), to_evidence(card, table)],
            table_view.columns(card, given["kind"], rows), grid_options(given["kind"]),
            *filter_field(rows, "label", label), *filter_field(rows, "predicted", predicted), [],
        )  # fmt: skip

    @app.callback(
        Output(part("confusion"), "figure"),
        Output(part("confusion"), "style"),
        Output(part("matrix"), "className"),
        Input(TABLE.answers, "data"),
        Input(part("dark"), "data"),
        prevent_initial_call=True,
    )
    def draw(answers: Answers | None, dark: bool | None) -> Any:
        key = answered(answers)
        summary = engine.store.get_document(key)["summary"] if key else {}
        if not summary.get("confusion"):
            return no_update, no_update, "d-none"
        figure = confusion.matrix(summary["classes"], summary["confusion"], bool(dark))
        return figure, {"height": f"{figure.layout.height}px"}, ""


def to_evidence(card: Card, table: Mapping[str, Any]) -> Any:
    """Where every method is tested over this table; nothing where the model has none."""
    if not offers.offered(card, "attribution"):
        return ""
    address = links.link("/evidence", model=card["name"], tab="survey", data=table["example"] or table["id"])
    return dcc.Link("Which method can be believed on this table?", href=address, className="export")


def answered(answers: Any) -> str:
    """The key of the answered table; empty while there is none."""
    return answer_keys(answers).get("table", "")


def both(engine: Engine, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table and its answers."""
    answers = engine.store.get_document(key)
    return datasets.fetch(engine.store, answers["data"]), answers


def rows_of(engine: Engine, answers: Any) -> list[dict[str, Any]]:
    """The rows of the grid; none while the table is not answered."""
    if not answered(answers):
        return []
    given, answer = both(engine, answered(answers))
    return table_view.grid_rows(given["rows"], answer["rows"])


def filter_field(rows: Sequence[Mapping[str, Any]], name: str, value: Any) -> tuple[list[dict[str, str]], str]:
    """Options and value of a filter over one column: what it was set to, where that is still there."""
    there = sorted({str(row[name]) for row in rows if row[name]})[:500]
    options = [{"label": "any", "value": ANY}, *[{"label": v, "value": v} for v in there]]
    return options, value if value in there else ANY


def _register_rows(app: Dash, engine: Engine) -> None:
    filters = [part(name) for name in ("label", "predicted", "outcome", "find")]
    app.clientside_callback(
        ClientsideFunction("data", "filter"),
        Output(part("grid"), "rowData"),
        Output(part("count"), "children"),
        Input(part("rows"), "data"),
        *[Input(name, "value") for name in filters],
        Input(part("swept"), "data"),
    )
    app.clientside_callback(
        ClientsideFunction("data", "cell"),
        *[Output(name, "value", allow_duplicate=True) for name in filters],
        Output(part("grid"), "filterModel"),
        Output(part("confusion"), "clickData"),
        Input(part("confusion"), "clickData"),
        Input(part("all"), "n_clicks"),
        State(part("confusion"), "figure"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(part("row"), "children", allow_duplicate=True),
        Input(part("grid"), "selectedRows"),
        State(part("card"), "data"),
        State(TABLE.answers, "data"),
        State(SWEEP.requests, "data"),
        prevent_initial_call=True,
    )
    def select(selected: Any, card: Card | None, answers: Answers | None, swept: Any) -> Any:
        key = answered(answers)
        if not selected or not card or not key:
            return []
        given, answer = both(engine, key)
        place = selected[0].get("n")
        if not isinstance(place, int) or not 1 <= place <= len(given["rows"]):
            return []
        row = table_view.grid_rows([given["rows"][place - 1]], [answer["rows"][place - 1]])[0] | {"n": place}
        method = (swept or {}).get("sweep", {}).get("method", "")
        return table_view.row_panel(card, row, given["rows"][place - 1], method)


def _register_link(app: Dash) -> None:
    named = ("label", "predicted", "outcome", "find", "method", "aim", "over")

    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        Input(part("card"), "data"),
        Input(part("table"), "data"),
        Input(SWEEP.requests, "data"),
        Input(part("options"), "data"),
        Input(part("grid"), "filterModel"),
        *[Input(part(name), "value") for name in named],
        prevent_initial_call=True,
    )
    def remember(
        card: Card | None, table: Any, requests: Requests | None, options: Any, headings: Any, *values: Any
    ) -> Any:
        if not card or not table:
            return no_update
        return link_view(card, table, bool(requests), options or {}, headings, dict(zip(named, values, strict=True)))


def link_view(
    card: Card, table: Mapping[str, Any], swept: bool, options: Mapping[str, Any], headings: Any,
    view: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What the link restores: model, table, filters, and the method over the table where one was asked for."""
    kept = {"model": card["name"], "data": table["example"] or table["id"]}
    kept |= {name: view[name] for name in ("label", "predicted", "outcome", "find") if view[name] not in (None, ANY)}
    params: dict[str, Any] = {**kept, "filter": headings or {}}
    if swept:
        method = view["method"]
        params |= {"run": "1", "method": method, "aim": "" if view["aim"] == "own" else view["aim"]}
        params["over"] = "" if view["over"] == "all" else view["over"]
        try:
            params["options"] = option_form.changed(method, options.get(method, {}))
        except Refused:
            params["options"] = {}
    return {"path": PATH, "params": params}

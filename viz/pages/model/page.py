"""Model: what was found inside a network, how sure that is, and what it takes in memory and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html, no_update

from backends import catalog, load_options
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components import shell
from viz.components.alerts import alert
from viz.components.job_panel import Answers, JobPanel, take_document
from viz.components.links import link, text
from viz.components.model_picker import ModelPicker, named, open_request, opened_card, other_class
from viz.pages import pages_for
from viz.pages.model import forecast

PATH, TITLE, ORDER = "/model", "Model", 8
QUESTION = "What is inside this model?"

OWN = "own"
"""The value of a select that says nothing: a select shows no option whose value is empty."""
PICKER = ModelPicker(
    "model",
    name="name",
    without="",
    placeholder="gpt2 · ~/my-model",
    hint="Enter opens it. A folder with config.json alone gets a forecast.",
)
FORECAST = JobPanel("model", "forecast", "Finding out what it takes")
DEVICES = ("", "cpu", "cuda", "cuda:0", "cuda:1", "auto", "mps")
CHECKS = {
    "install_gap": (
        "Watching changes nothing",
        "the answer while its attention is watched, against the answer before",
        "of the largest output",
    ),
    "attention_gap": (
        "Attention is the model's own",
        "patterns read here, against those of the same network in eager mode",
        "probability",
    ),
    "residual_gap": (
        "Blocks add up",
        "what goes in, plus attention, plus MLP, against what comes out of each block",
        "of the largest state",
    ),
    "lens_gap": (
        "The last state gives the answer",
        "final norm and unembedding of the last state, against the model's own logits",
        "of the largest logit",
    ),
    "head_gap": (
        "Heads can be switched off",
        "a head set to zero, against its columns of the output projection set to zero",
        "of the largest output",
    ),
    "patch_gap": (
        "States can be replaced",
        "every state replaced by itself, against the untouched answer",
        "of the largest output",
    ),
    "replay_gap": (
        "Forwards can begin at a later layer",
        "inputs that begin at different layers in one batch, against a whole forward of each",
        "of the largest output",
    ),
    "trim_gap": (
        "Earlier tokens can be left out",
        "an input that changes from one token on, read from there only, against a whole forward",
        "of the largest output",
    ),
}
"""What each check of the probe claims, what it compares, and what its gap is a share of."""
BASIS = {
    "install_gap": "attention",
    "attention_gap": "attention",
    "residual_gap": "components",
    "lens_gap": "unembedding",
    "head_gap": "heads",
    "patch_gap": "residual",
    "replay_gap": "replay",
    "trim_gap": "trim",
}
"""The view that is withdrawn where a check fails."""
VIEWS = {
    "attention": "Attention",
    "residual": "States through the layers",
    "components": "Contributions of attention and MLP",
    "unembedding": "Logit lens",
    "heads": "Switching heads off",
    "replay": "Beginning at a later layer",
    "trim": "Leaving earlier tokens out",
}
WHOLE = {
    "replay_gap": ("differs: whole forwards are run", "mark-bad"),
    "trim_gap": ("not so here, so all tokens are always read", ""),
}
"""What is said where forwards cannot be shortened: nothing is withdrawn, they only take longer."""
ROLES = {
    "embedding": "turns tokens into vectors",
    "block": "one layer: attention and MLP",
    "attention": "computes a layer's attention",
    "branch": "what attention adds to the stream",
    "mlp": "works on each token alone",
    "cross": "attends to the encoder",
    "projection": "mixes the heads",
    "final_norm": "scales the last state",
    "unembedding": "turns a state into an answer",
    "channels": "a stage of the convolutional network",
    "rest": "everything else",
}
TASKS = {
    "causal-lm": "language model",
    "text-classification": "text classifier",
    "fill-mask": "masked encoder",
    "image-classification": "image classifier",
    "sentence-similarity": "sentence encoder",
    "text-to-text": "encoder–decoder",
    "image-text": "image–text model",
    "image-encoding": "image encoder",
}


def layout(**query: Any) -> html.Div:
    """The page as the link left it."""
    return shell.page(
        "model",
        QUESTION,
        "On opening, one small forward finds the parts of the network by what they do, and "
        "checks what was found. A view whose check fails is withdrawn. What it takes to run "
        "is said beforehand.",
        html.Section(
            [html.H2("Model"), *_picker(query)], className="panel", **{"aria-label": "Model and how it is opened"}
        ),
        [
            html.Div(_strange(query), role="alert"),
            html.Div(id="model-problem", role="alert"),
            PICKER.job.parts(),
            html.Div(id="model-card", role="status"),
            html.Div(id="model-checks"),
            html.Div(id="model-parts"),
            FORECAST.parts(),
            html.Div(id="model-takes"),
        ],
        about="Model",
    )


def _picker(query: Mapping[str, Any]) -> list[Any]:
    bare, found = _split(PICKER.wanted(query))
    devices = {name or OWN: name or "the machine's choice" for name in (*DEVICES, found.device)}
    return [
        *PICKER.fields(bare),
        _select("dtype", "Numbers in", {name: name for name in load_options.BYTES}, found.dtype),
        _select("device", "Computed on", devices, found.device),
        _select("load", "Weights kept", {OWN: "as they are", "8bit": "in 8 bits (bitsandbytes)"}, found.load),
        html.Div(
            "The setting becomes part of the model's name, so links, jobs and scripts carry it.", className="hint mt-2"
        ),
    ]  # fmt: skip


def _select(part: str, label: str, options: Mapping[str, str], value: str) -> html.Div:
    return html.Div(
        [
            html.Label(label, htmlFor=f"model-{part}", className="form-label"),
            dbc.Select(
                id=f"model-{part}", value=value or OWN, options=[{"label": v, "value": k} for k, v in options.items()]
            ),
        ],
        className="mt-2",
    )


def _split(name: str) -> tuple[str, load_options.Settings]:
    """The name and the settings of a link; nonsense is the default."""
    try:
        return load_options.split(name)
    except Refused:
        return name.partition("?")[0], load_options.DEFAULT


def _strange(query: Mapping[str, Any]) -> list[Any]:
    """The sentence where a link's settings mean nothing, so that the usual ones are shown."""
    try:
        load_options.split(text(query, "model", most=300))
    except Refused as refused:
        return [alert(f"The settings in the link cannot be used ({refused}): the usual ones are shown.")]
    return []


def register(app: Dash, engine: Engine) -> None:
    """Connect name and settings → forecast and card → report."""
    PICKER.job.register(app, engine)
    FORECAST.register(app, engine)

    @app.callback(
        Output(FORECAST.requests, "data"),
        Output(PICKER.job.requests, "data"),
        Output("model-problem", "children"),
        Output("model-other-area", "className"),
        Output(shell.LINK, "data", allow_duplicate=True),
        Input("model-name", "value"),
        Input("model-other", "value"),
        Input("model-dtype", "value"),
        Input("model-device", "value"),
        Input("model-load", "value"),
        prevent_initial_call="initial_duplicate",
    )
    def choose(name: Any, other: Any, dtype: Any, device: Any, load: Any) -> Any:
        shown, wanted = other_class(name), named(name, other)
        if not wanted:
            return {}, {}, [], shown, no_update
        try:
            forecasts, openings, whole = asked(wanted, {"dtype": dtype, "device": device, "load": load})
        except Refused as refused:
            return {}, {}, alert(str(refused)), shown, no_update
        return forecasts, openings, [], shown, {"path": PATH, "params": {"model": whole}}

    @app.callback(
        Output("model-card", "children"),
        Output("model-checks", "children"),
        Output("model-parts", "children"),
        Output(FORECAST.requests, "data", allow_duplicate=True),
        Input(PICKER.job.answers, "data"),
        State(FORECAST.requests, "data"),
        prevent_initial_call=True,
    )
    def opened(answers: Answers | None, before: Any) -> Any:
        card = opened_card(engine, answers)
        if card is None:
            return [], [], [], no_update
        measured = {"model": forecast.model_request(card["name"], card["revision"], open=True)}
        return about(card), checks(card), parts(card), no_update if measured == before else measured

    @app.callback(Output("model-takes", "children"), Input(FORECAST.answers, "data"), prevent_initial_call=True)
    def forecast_there(answers: Answers | None) -> Any:
        found = take_document(engine, answers, "model")
        return takes(found) if found else []


def asked(name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The jobs for a model as it is to be opened, and its whole name: forecast, and opening where it has weights.

    Settings in the name itself count unless a select says otherwise. Raises `Refused` where there is no such model.
    """
    bare, own = load_options.split(name)
    chosen = load_options.checked({key: "" if value == OWN else str(value or "") for key, value in given.items()})
    whole = bare + (chosen if chosen != load_options.DEFAULT else own).suffix
    try:
        source = catalog.resolve(whole)
    except Refused:
        shape = catalog.configured(whole)  # a config without weights: there is nothing to open
        return {"model": forecast.model_request(shape.name, shape.revision)}, {}, shape.name
    forecasts = {"model": forecast.model_request(source.name, source.revision)}
    return forecasts, {"model": open_request(source)}, source.name


def about(card: Card) -> html.Section:
    """The model's card: what it is, its size, what it was trained on, how good it is, and its limits."""
    facts = [
        ("Name", card["name"]),
        ("Kind", f"{TASKS.get(card['task'], card['task'])} ({card['family']})"),
        ("Parameters", count(card["parameters"])),
        ("Layers and heads", _shape(card)),
        ("Opened", f"{card['dtype']} on {card['device']}, {forecast.size(card['bytes'])}"),
        ("Reads at most", f"{card['limit']} tokens" if card.get("limit") else ""),
        ("Answers", ", ".join(card["labels"][:12]) + (" …" if len(card["labels"]) > 12 else "")),
    ]
    doors = [
        dcc.Link(page.TITLE, href=link(page.PATH, model=card["name"]), className="btn btn-sm btn-primary")
        for page in pages_for(card)
    ]
    return html.Section(
        [
            html.H2(card.get("title", card["name"])),
            *([html.P(card["summary"])] if card.get("summary") else []),
            html.Dl([x for name, said in facts if said for x in (html.Dt(name), html.Dd(said))], className="facts"),
            *[alert(warning) for warning in card.get("warnings", [])],
            html.Div(doors, className="doors"),
            *_shipped(card),
        ],
        className="panel",
        **{"aria-label": "Card"},
    )


def _shape(card: Card) -> str:
    """Layers and heads, of each stack where there are several."""
    if card["parts"]:
        return "; ".join(f"{name}: {s['layers']} layers, {s['heads']} heads" for name, s in card["parts"].items())
    return f"{card['layers']} layers, {card['heads']} heads" if card["layers"] else ""


def _shipped(card: Card) -> list[Any]:
    """What a bundled model's card says of its data, its measured figures and its limits."""
    figures = card.get("figures", [])
    rows = [
        html.Tr([html.Th(f["name"], scope="row"), html.Td(f"{f['value']:.3f}"), html.Td(f"n = {f['n']}"),
                 html.Td(f["what"])])
        for f in figures
    ]  # fmt: skip
    table = html.Table(html.Tbody(rows), className="table table-sm model-table")
    limits = [html.Li(said) for said in card.get("limits", [])]
    return [
        *([html.Details([html.Summary(f"Measured figures ({len(rows)})"), table], open=False)] if rows else []),
        *([html.Details([html.Summary("Data"), html.P(card["data"])])] if card.get("data") else []),
        *([html.H3("Limits", className="mt-2"), html.Ul(limits, className="model-limits")] if limits else []),
    ]


def checks(card: Card) -> html.Section:
    """The probe's report: every check with its figure, what is allowed, and its verdict; what is withdrawn and why."""
    stacks = card["parts"] or {"": card}
    body: list[Any] = []
    for name, stack in stacks.items():
        body += [html.H3(name.capitalize(), className="mt-3")] if name else []
        body += [_checks_table(stack, card["tolerances"])] if stack["checks"] else [_unchecked(stack)]
        body += _withdrawn(stack)
    if card["parts"] and card["withdrawn"]:
        told = {why for stack in stacks.values() for why in stack["withdrawn"].values()}
        own = {view: why for view, why in card["withdrawn"].items() if why not in told}
        body += _withdrawn({"withdrawn": own})
    return html.Section(
        [
            html.H2("Was it read correctly?"),
            html.P(
                "Each check computes the same in two ways on a small input. The gap is their largest difference; what "
                "is allowed is rounding in the numbers that this network computes with.",
                className="hint",
            ),
            *body,
        ],
        className="panel",
        **{"aria-label": "Checks"},
    )


def _checks_table(stack: Mapping[str, Any], tolerances: Mapping[str, float]) -> html.Table:
    rows = []
    for check, gap in stack["checks"].items():
        title, compares, of = CHECKS.get(check, (check.replace("_", " "), "", ""))
        most = tolerances.get(check)
        rows.append(
            html.Tr(
                [
                    html.Th([title, html.Div(compares, className="hint")], scope="row"),
                    html.Td([figure(gap), html.Div(of, className="hint")]),
                    html.Td(figure(most) if most is not None else ""),
                    html.Td(_verdict(check, gap, most, stack["withdrawn"])),
                ]
            )
        )
    head = html.Tr([html.Th(name, scope="col") for name in ("check", "gap", "allowed", "verdict")])
    told = html.Caption("The checks made on opening", className="visually-hidden")
    return html.Table([told, html.Thead(head), html.Tbody(rows)], className="table table-sm model-table")


def _verdict(check: str, gap: float, most: float | None, withdrawn: Mapping[str, str]) -> html.Span:
    if BASIS.get(check) in withdrawn or (most is not None and gap > most):
        if check in WHOLE:
            said, mark = WHOLE[check]
            return html.Span(said, className=mark)
        return html.Span(f"fails, withdrawn: {VIEWS.get(BASIS.get(check, ''), '')}", className="mark-bad")
    return html.Span("✓ exact" if gap == 0 else "✓ rounding only", className="mark-good")


def _unchecked(stack: Mapping[str, Any]) -> html.P:
    why = "withdrawn before it could be checked" if stack["withdrawn"] else "a network without blocks of attention"
    return html.P(f"Nothing to check here: {why}.", className="hint")


def _withdrawn(stack: Mapping[str, Any]) -> list[Any]:
    """What is not offered, and the sentence that says why."""
    if not stack["withdrawn"]:
        return []
    rows = [html.Li([html.B(VIEWS.get(view, view)), f": {why}."]) for view, why in stack["withdrawn"].items()]
    return [html.H3("Withdrawn", className="mt-2"), html.Ul(rows, className="model-limits")]


def figure(value: float) -> str:
    """A gap in two digits; 0 is exactly that."""
    return "0" if value == 0 else f"{value:.1e}".replace("-", "−")


def parts(card: Card) -> html.Section:
    """The parts by role: how many, where they are in the network, how many numbers they hold."""
    stacks = {name: s["roles"] for name, s in card["parts"].items()} or {"": card["roles"]}
    rows = []
    for name, roles in stacks.items():
        for role, paths in roles.items():
            first = role.replace("_", " ") + (f" ({name})" if name else "")
            numbers = card["numbers"].get(role)
            rows.append(
                html.Tr(
                    [
                        html.Th([first, html.Div(ROLES.get(role, ""), className="hint")], scope="row"),
                        html.Td(str(len(paths))),
                        html.Td(html.Code(places(paths))),
                        html.Td(count(numbers) if numbers and (not name or len(stacks) == 1) else ""),
                    ]
                )
            )
    if len(stacks) > 1:
        rows += [_total(role, numbers) for role, numbers in card["numbers"].items() if role != "rest"]
    rows += [_total("rest", card["numbers"]["rest"])] if "rest" in card["numbers"] else []
    head = html.Tr([html.Th(name, scope="col") for name in ("role", "how many", "where", "numbers")])
    told = html.Caption("The network's parts by role", className="visually-hidden")
    return html.Section(
        [
            html.H2("Parts"),
            html.P(
                "Found by what the tensors do, not by names. A block holds its attention and MLP: the numbers overlap.",
                className="hint",
            ),
            html.Div(
                html.Table([told, html.Thead(head), html.Tbody(rows)], className="table table-sm model-table"),
                className="model-scroll",
            ),
        ],
        className="panel",
        **{"aria-label": "Parts"},
    )


def _total(role: str, numbers: int) -> html.Tr:
    name = "everything else" if role == "rest" else f"{role.replace('_', ' ')}, all stacks"
    return html.Tr([html.Th(name, scope="row"), html.Td(""), html.Td(""), html.Td(count(numbers))])


def places(paths: list[str]) -> str:
    """Module paths in short: one, or the first and what counts up to the last."""
    if len(paths) < 2:
        return paths[0] if paths else ""
    return f"{paths[0]} … {paths[-1]}"


def count(number: int) -> str:
    """A number of parameters as a person reads it."""
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:,}".replace(",", " ")


def takes(found: Mapping[str, Any]) -> html.Section:
    """What the model takes: its weights by dtype, and a forward by length."""
    known = "" if found["measured"] else f"{count(found['parameters'])} parameters. "
    return html.Section(
        [
            html.H2("Memory and time"),
            html.P(
                f"{known}{forecast.size(found['free'])} are free on {found['device']}. {forecast.origin(found)}",
                className="hint",
            ),
            html.Div([forecast.weights_table(found), forecast.lengths_table(found)], className="model-takes"),
        ],
        className="panel",
        **{"aria-label": "Memory and time"},
    )

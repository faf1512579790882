"""Attribution: up to four answers, side by side, to what drove the model's answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.results import GROUPINGS, Result, regroup
from viz.components import (
    attribution_summary,
    heat_canvas,
    inputs,
    links,
    offers,
    option_form,
    receipt,
    shell,
    workbench,
)
from viz.components.alerts import alert
from viz.components.exports import copy_link, exports, map_view
from viz.components.inputs import PageInput
from viz.components.job_panel import (
    Answers,
    JobPanel,
    Requests,
    answer_keys,
    documents,
    if_new,
    in_words,
    reasons,
    results,
)
from viz.components.method_choice import MOST, choices, chosen_for, help_for, other_methods
from viz.components.side_by_side import common_sentence, headline, shared
from viz.components.token_heat_text import coloured_text, legend, sides
from viz.components.touch import Touch
from viz.components.workbench import Target
from viz.pages.attribution.no_method import nothing

PATH, TITLE, ORDER = "/attribution", "Attribution", 2
NEEDS = frozenset({"answer"})
"""What a model must offer for this page to have something to show of it."""
QUESTION = "What drove this answer?"

PAGE = "attribution"
VIEW = ("opacity", "threshold", "colours", "stretch", "mode")
"""What is set on the pictures themselves and lives in the browser and the link."""

BENCH = workbench.Workbench(PAGE)
TOUCH = Touch(PAGE)
RUN = JobPanel(PAGE, "run", "Computing", tell=False)
CHECK = JobPanel(PAGE, "check", quiet=True)
RECEIPTS = receipt.Receipts(PAGE, MOST)
PARTS = ("class", "title", "verdict", "sentence", "text", "area", "spec", "facts", "table", "exports")


def part(name: str, i: int | None = None) -> str:
    """The id of one part of the page, or of its card `i`."""
    return f"{PAGE}-{name}" if i is None else f"{PAGE}-{name}-{i}"


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    methods = links.values(link, "methods", 2 * MOST)
    view = {name: link[name] for name in VIEW if isinstance(link.get(name), str)}
    return shell.page(
        "attribution",
        QUESTION,
        "Each method asks in its own way. Where they agree you can be surer; each can be wrong.",
        BENCH.layout(link),
        [
            dcc.Store(id=part("wanted"), data=methods or None),
            dcc.Store(id=part("options"), data=linked_options(link)),
            dcc.Store(id=part("view"), data=view),
            dcc.Store(id=part("refused")),
            dcc.Store(id=part("arranged")),
            dcc.Store(id=part("linked-mask"), data=links.text(link, "mask", most=40)),
            html.Div([alert(told) for told in unknown(link)], id=part("unknown")),
            html.Div(id=part("instead"), role="status"),
            html.Div(id=part("no-mask"), role="status"),
            html.Div(id=part("nothing")),
            html.Div(id=part("headline"), className="headline", role="status"),
            html.Div([_card(i) for i in range(MOST)], className="results"),
            html.Section(_pickers(link), id=part("pickers"), className="panel", **{"aria-label": "Methods"}),
            html.Div(_views(link), id=part("views"), className="panel view-row"),
            TOUCH.parts(link),
        ],
    )


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that a link asks for and this page has not; methods wait for the model."""
    said = links.unknown(link, "by", {name: f"by {name}" for name in GROUPINGS}, "word")
    given = linked_options(link)
    if link.get("options") and not given:
        said.append("The link sets options that cannot be read; the usual ones are used instead.")
    for method, options in given.items():
        try:
            option_form.checked(method, options)
        except Refused as why:
            said.append(f"The link sets options that cannot be used; the usual ones are used instead: {why}.")
    return said


def linked_options(link: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options that a link carries, by method; nonsense is left out."""
    try:
        given = json.loads(links.text(link, "options") or "{}")
    except (ValueError, RecursionError):
        return {}
    known = registry.entries("methods")
    if not isinstance(given, dict):
        return {}
    return {m: o for m, o in given.items() if m in known and isinstance(o, dict)}


def _pickers(link: Mapping[str, Any]) -> list[Any]:
    return [
        html.Fieldset(
            [
                html.Legend(
                    ["Ways to find out ", html.Span(f"up to {MOST}, side by side", className="hint")],
                    className="legend-title",
                ),
                dbc.Checklist(id=part("methods"), options=[], value=[], inline=True, class_name="method-list"),
            ]
        ),
        html.Details(
            [html.Summary(id=part("withheld-count")), html.Div(id=part("withheld"))],
            id=part("withheld-box"),
            className="d-none",
        ),
        RUN.parts(),
        CHECK.parts(),
        RECEIPTS.stores(link),
    ]


def _views(link: Mapping[str, Any]) -> list[Any]:
    by = links.choice(link, "by", GROUPINGS, "word")
    options = [{"label": f"by {g}", "value": g} for g in GROUPINGS]
    return [
        html.Div(
            [
                html.Label("Show values", htmlFor=part("by"), className="form-label"),
                dbc.Select(id=part("by"), value=by, options=options, size="sm"),
            ],
            id=part("by-area"),
            className="d-none",
        ),
        html.Div(
            [
                html.Label("Outline what is true", htmlFor=part("mask"), className="form-label"),
                dbc.Select(id=part("mask"), value=links.text(link, "mask", most=40), options=[], size="sm"),
            ],
            id=part("mask-area"),
            className="d-none",
        ),
        dbc.Switch(
            id=part("same"), value=links.text(link, "same") != "0", label="One colour scale for all", class_name="same"
        ),
        html.Div(id=part("scale-note"), className="hint"),
        copy_link(),
    ]


def _card(i: int) -> html.Article:
    return html.Article(
        [
            html.Div(
                [html.H2(id=part("title", i)), html.Span(id=part("verdict", i), className="verdict")],
                className="result-head",
            ),
            html.Div(id=part("sentence", i)),
            RECEIPTS.face(i),
            html.Div(id=part("text", i)),
            html.Div(
                heat_canvas.heat_canvas(part("heat", i), f"Attribution {i + 1}"), id=part("area", i), className="d-none"
            ),
            RECEIPTS.box(i),
            html.Div(id=part("facts", i)),
            html.Details([html.Summary("Strongest parts"), html.Div(id=part("table", i))]),
            html.Details([html.Summary("Options"), html.Div(id=part("form", i))]),
            html.Details([html.Summary("What is this?"), html.Div(id=part("help", i), className="help")]),
            html.Div(id=part("exports", i)),
        ],
        id=part("card", i),
        className="d-none",
        **{"aria-labelledby": part("title", i)},
    )


def register(app: Dash, engine: Engine) -> None:
    """Connect methods → options → jobs → pictures → link."""
    for piece in (BENCH, RUN, CHECK):
        piece.register(app, engine)
    TOUCH.register(app, engine, BENCH)
    for i in range(MOST):
        heat_canvas.register(app, part("heat", i))
    RECEIPTS.register(app, engine, RUN, BENCH.card, part("methods"))
    _register_methods(app, engine)
    _register_forms(app)
    _register_jobs(app)
    _register_outline(app)
    _register_cards(app, engine)
    _register_link(app)


def _register_methods(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(part("methods"), "value"),
        Output(part("wanted"), "data"),
        Output(part("instead"), "children"),
        Output(part("nothing"), "children"),
        Output(part("pickers"), "className"),
        Output(part("views"), "className"),
        Input(BENCH.card, "data"),
        State(part("methods"), "value"),
        State(part("wanted"), "data"),
        prevent_initial_call=True,
    )
    def choose(card: Card | None, chosen: list[Any] | None, wanted: Any) -> Any:
        if not card:
            return [no_update] * 6
        there = offers.offered(card, PAGE)
        told = other_methods(card, wanted or chosen) if there else ""
        classes = ("panel", "panel view-row") if there else ("d-none", "d-none")
        return chosen_for(card, wanted or chosen), None, alert(told) if told else "", nothing(card), *classes

    @app.callback(
        Output(part("methods"), "options"),
        Output(part("withheld"), "children"),
        Output(part("withheld-count"), "children"),
        Output(part("withheld-box"), "className"),
        Input(BENCH.card, "data"),
        Input(part("methods"), "value"),
        Input(CHECK.answers, "data"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, chosen: list[Any] | None, answers: Answers | None) -> Any:
        if not card:
            return no_update, no_update, no_update, no_update
        failed = failures(documents(engine, answers)[0])
        withheld = {**failed, **offers.withheld(card, PAGE)}
        rows = [html.Li([html.B(registry.method(m).title), f": {why}"]) for m, why in withheld.items()]
        count = f"{len(rows)} not available for this model"
        return choices(card, chosen or [], failed), html.Ul(rows), count, "withheld" if rows else "d-none"


def _register_forms(app: Dash) -> None:
    """The options and the explanation of each chosen method."""
    outputs = [Output(part(name, i), "children") for i in range(MOST) for name in ("form", "help")]

    @app.callback(
        Output(part("arranged"), "data"),
        *outputs,
        Input(part("methods"), "value"),
        Input(BENCH.card, "data"),
        State(part("arranged"), "data"),
        State(part("options"), "data"),
        prevent_initial_call=True,
    )
    def arrange(chosen: list[Any] | None, card: Card | None, arranged: Any, options: Any) -> Any:
        wanted = [[m, card["name"]] for m in (chosen or [])[:MOST]] if card else []
        arranged, children = arranged or [], []
        for i in range(MOST):
            here = wanted[i] if i < len(wanted) else None
            if here == (arranged[i] if i < len(arranged) else None):
                children += [no_update, no_update]
            elif card is None or here is None:
                children += [[], []]
            else:
                children += [form_for(card, here[0], (options or {}).get(here[0])), help_for(here[0])]
        return wanted, *children

    option_form.register(app, PAGE, part("options"))


def failures(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The methods that failed their check, and why."""
    return {m: v["sentence"] for m, v in found.items() if not v["holds"]}


def form_for(card: Card, method: str, values: Any) -> html.Div:
    """The options of `method`; neutral inputs that this model does not know are not offered."""
    return option_form.form(PAGE, method, values, {"baseline": ("default", *card.get("stand_ins", ()))})


def _register_jobs(app: Dash) -> None:
    @app.callback(
        Output(RUN.requests, "data"),
        Output(part("refused"), "data"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input(part("methods"), "value"),
        Input(part("options"), "data"),
        State(RUN.requests, "data"),
        prevent_initial_call=True,
    )
    def ask(
        card: Card | None, given: PageInput | None, aim: Target, chosen: list[Any] | None, options: Any, before: Any
    ) -> Any:
        requests, refused = asked(card, given, aim, chosen, options)
        return if_new(requests, before), refused

    @app.callback(
        Output(CHECK.requests, "data"),
        Input(RUN.answers, "data"),
        State(RUN.requests, "data"),
        State(BENCH.card, "data"),
        State(CHECK.requests, "data"),
        prevent_initial_call=True,
    )
    def check(answers: Answers | None, requests: Requests | None, card: Card | None, before: Any) -> Any:
        done = len(answer_keys(answers)) + len(reasons(answers))
        if not card or not requests or done < len(requests):
            return no_update
        return if_new(to_check(card, list(requests)), before)


def asked(card: Any, given: Any, aim: Any, chosen: Any, options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The jobs for what is chosen, by method, and the sentences for those whose options cannot be."""
    if not workbench.fits(card, given) or inputs.guidance(card, given):
        return {}, {}
    requests, refused = {}, {}
    there = offers.offered(card, PAGE)
    for method in [m for m in chosen or [] if m in there][:MOST]:
        try:
            values = option_form.checked(method, (options or {}).get(method, {}))
            requests[method] = workbench.run_request(card, given, method, values, aim)
        except Refused as why:
            refused[method] = str(why)
    return requests, refused


def to_check(card: Card, chosen: Sequence[str]) -> dict[str, Any]:
    """The validity checks of everything offered on the model, the chosen methods first."""
    there = offers.offered(card, PAGE)
    order = [*[m for m in chosen if m in there], *[m for m in there if m not in chosen]]
    return {m: workbench.check_request(card, m) for m in order}


def _register_outline(app: Dash) -> None:
    """What of the input is known to be true, to be outlined on the maps."""

    @app.callback(
        Output(part("by-area"), "className"),
        Output(part("mask-area"), "className"),
        Output(part("mask"), "options"),
        Output(part("mask"), "value"),
        Output(part("no-mask"), "children"),
        Output(part("linked-mask"), "data"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        State(part("mask"), "value"),
        State(part("linked-mask"), "data"),
        prevent_initial_call=True,
    )
    def suit(card: Card | None, given: PageInput | None, mask: Any, linked: Any) -> Any:
        if given is None or not workbench.fits(card, given):
            return [no_update] * 6
        return "d-none" if "pixels" in card["offers"] else "", *outline(card, given, mask, linked), ""


def outline(card: Card, given: PageInput, mask: Any, linked: Any) -> tuple[str, list[dict[str, str]], str, Any]:
    """The picker of what is outlined: its class, options and value; and a sentence where the link asks in vain."""
    there = attribution_summary.masks(inputs.example_of(card, given))
    options = [{"label": f"the {m}", "value": m} for m in there] + [{"label": "nothing", "value": ""}]
    kept = mask if mask in there else (there[0] if there else "")
    instead = f"the {kept} is outlined instead" if kept else "nothing is outlined"
    told = f"The link asks to outline {linked!r}, which is not known of this input; {instead}."
    return "" if there else "d-none", options, kept, alert(told) if linked and linked not in there else ""


def _card_outputs() -> list[Output]:
    """The properties that `shown` fills, card by card."""
    sides = {"class": "className", "area": "className", "spec": "data"}
    ids = {"class": "card", "spec": "heat"}
    return [
        Output(part(ids.get(p, p), i) + ("-spec" if p == "spec" else ""), sides.get(p, "children"))
        for i in range(MOST)
        for p in PARTS
    ]


def _register_cards(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(part("headline"), "children"),
        Output(part("scale-note"), "children"),
        *_card_outputs(),
        Input(RUN.answers, "data"),
        Input(part("refused"), "data"),
        Input(CHECK.answers, "data"),
        Input(part("by"), "value"),
        Input(part("mask"), "value"),
        Input(part("same"), "value"),
        Input(part("methods"), "value"),
        Input(BENCH.predicting.answers, "data"),
        State(BENCH.card, "data"),
        State(BENCH.input, "data"),
        State(part("view"), "data"),
        prevent_initial_call=True,
    )
    def draw(
        answers: Answers | None,
        refused: Any,
        checks: Answers | None,
        by: Any,
        mask: Any,
        same: bool | None,
        chosen: list[Any] | None,
        beside: Any,
        card: Card | None,
        given: PageInput | None,
        view: Any,
    ) -> Any:
        found, why = results(engine, answers)
        why = {**why, **(refused or {})}
        found = {m: r for m, r in found.items() if m in (chosen or [])}
        scales, note = shared(list(found.values()), by, bool(same))
        known, _ = documents(engine, checks)
        elsewhere = set(reasons(beside).values())
        common = inputs.guidance(card, given) or common_sentence(chosen or [], why, elsewhere)
        rows = []
        for i in range(MOST):
            method = chosen[i] if card and chosen and not common and i < len(chosen) else ""
            rows += shown(
                i, method, found.get(method), why.get(method, ""), known.get(method), scales.get(method),
                answer_keys(answers).get(method, ""), card, given, by, mask, view or {},
            )  # fmt: skip
        if common:
            return [] if common in elsewhere or not chosen else alert(in_words(common)), note, *rows
        return headline(found, card) if card else [], note, *rows


def shown(
    i: int, method: str, result: Result | None, why: str, check: Mapping[str, Any] | None,
    scale: tuple[float, float] | None, key: str, card: Any, given: Any, by: str, mask: str, view: Mapping[str, Any],
) -> list[Any]:  # fmt: skip
    """The parts of card `i`, in the order of `PARTS`."""
    if not method:
        return ["d-none", "", "", [], [], "d-none", None, [], [], []]
    head = ["panel result", registry.method(method).title, verdict_mark(check)]
    if check and not check["holds"]:
        why = f"Withdrawn for this model: {check['sentence']}"
        result = None
    if result is None:
        told = alert(in_words(why)) if why else html.Div("…", className="waiting")
        return [*head, told, [], "d-none", None, [], [], []]
    example = inputs.example_of(card, given or {})
    truth = attribution_summary.verdict(result, card["name"], example, mask)
    said = [html.P(truth, className="truth-said")] if truth else []
    facts = attribution_summary.facts_list(result)
    if result.arrays["attribution"].ndim == 1:
        drawn = regroup(result, by)
        picture = part("words", i)
        text = [coloured_text(drawn, picture, scale, attribution_summary.truth_spans(example)), legend(drawn, scale)]
        table = attribution_summary.strongest_table(drawn, f"The strongest parts by {result.method.replace('_', ' ')}")
        return [
            *head,
            said,
            text,
            "d-none",
            None,
            facts,
            table,
            exports(key, picture, registry.method(method).title, link=False, view=map_view(by, scale)),
        ]
    there: PageInput = given if given else {"digest": ""}
    spec = image_spec(i, result, key, scale, card, there, mask, view)
    table = attribution_summary.strongest_table(result, f"The strongest squares by {result.method.replace('_', ' ')}")
    return [*head, said, html.Div(sides(result), className="legend-words"), "", spec, facts, table,
            exports(key, part("heat", i), registry.method(method).title, link=False,
                    view=map_view(scale=scale, mask=mask))]  # fmt: skip


def image_spec(
    i: int, result: Result, key: str, scale: tuple[float, float] | None, card: Card,
    given: PageInput, mask: str, view: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What the canvas of card `i` draws: the map over the image, with the outline of what is true."""
    title = registry.method(result.method).title
    there = attribution_summary.masks(inputs.example_of(card, given))
    outline = f"{inputs.example_image(card, given['example'])}/{mask}" if mask in there else None
    return heat_canvas.spec(
        part("heat", i),
        f"{title} for {result.target or 'any answer'}",
        heat_canvas.map_url(key, "attribution"),
        quantity="attribution",
        value=heat_canvas.value_url(key, "attribution"),
        image=heat_canvas.image_url(key) if "image" in result.arrays else None,
        outline=outline,
        scale=scale,
        opacity=links.share(view.get("opacity"), 0.7),
        threshold=links.share(view.get("threshold"), 0.0),
        colours=view.get("colours"),
        stretch=links.choice(view, "stretch", heat_canvas.STRETCHES, "linear"),
        mode=links.choice(view, "mode", heat_canvas.MODES, "over"),
        controls=("opacity", "mode", "threshold", "colours", "stretch", "full"),
        group=PAGE,
        height=420,
    )


def verdict_mark(check: Mapping[str, Any] | None) -> Any:
    """Whether the method was checked on this model, and how that ended."""
    if check is None:
        return ""
    if not check["holds"]:
        return html.Span("withdrawn", className="mark-bad", title=check["sentence"])
    return html.Span("✓ checked on this model", className="mark-good", title=check["sentence"])


def _register_link(app: Dash) -> None:
    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input(part("methods"), "value"),
        Input(part("options"), "data"),
        Input(part("by"), "value"),
        Input(part("mask"), "value"),
        Input(part("same"), "value"),
        Input(RECEIPTS.options, "data"),
        prevent_initial_call=True,
    )
    def remember(
        card: Card | None,
        given: PageInput | None,
        aim: Target,
        chosen: list[Any] | None,
        options: Any,
        by: Any,
        mask: Any,
        same: bool | None,
        receipts: Any,
    ) -> Any:
        if given is None or not workbench.fits(card, given):
            return no_update
        return link_view(card, given, aim, chosen or [], options or {}, by, mask, bool(same), receipts or {})


def link_view(
    card: Card, given: PageInput, aim: Any, chosen: Sequence[str], options: Mapping[str, Any],
    by: str, mask: str, same: bool, receipts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the link restores: the workbench, the methods with their changed options, and the view."""
    params: dict[str, Any] = {**workbench.link_params(card, given, aim), "methods": ",".join(chosen)}
    differing = {}
    for method in chosen:
        try:
            differing[method] = option_form.changed(method, options.get(method, {}))
        except Refused:
            continue
    params["options"] = {m: o for m, o in differing.items() if o}
    params["by"] = by if "pixels" not in card["offers"] and by != "word" else ""
    params["mask"] = (
        mask if mask and mask != next(iter(attribution_summary.masks(inputs.example_of(card, given))), "") else ""
    )
    params["same"] = "" if same else "0"
    params["receipt"] = receipt.link_of(receipts or {}, chosen)
    return {"path": PATH, "params": params, "keep": list(VIEW)}

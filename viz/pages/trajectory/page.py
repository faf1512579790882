"""Trajectory: how the answer forms through the layers, as words, as curves and as a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import catalog
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import key_of
from viz.components import inputs, links, offers, shell
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.graph import picture
from viz.components.inputs import PageInput
from viz.components.job_panel import Answers, JobPanel, answer_keys, reasons, take_result
from viz.components.method_panel import MethodPanel
from viz.components.tabs import tabs
from viz.components.touch import Touch
from viz.components.workbench import Target, Workbench, fits, link_params, run_request
from viz.pages.trajectory import figures, lens_table, stack_picker, tracked_tokens
from viz.pages.trajectory import summary as formed
from viz.pages.trajectory.position_picker import AUTO, no_position, place, position_options
from viz.pages.trajectory.tracked_tokens import followed, followed_of, token_name

if TYPE_CHECKING:
    from backends.results import Result

PATH = "/trajectory"
TITLE = "Trajectory"
QUESTION = "How did the answer form?"
ORDER = 3
NEEDS = frozenset({"residual"})
"""What a model must offer for this page to have something to show of it."""

PAGE = "trajectory"
BENCH = Workbench(PAGE)
LENS = JobPanel(PAGE, "lens", "Reading the layers as words", beside=BENCH.predicting.answers)
OTHERS = MethodPanel(PAGE, (BENCH.card, BENCH.input, BENCH.aim), (formed.WORDS, formed.STATES))
TOUCH = Touch(PAGE)
STATES = JobPanel(PAGE, "states", "Recording the states", beside=BENCH.predicting.answers)

TABS = {
    "lens": "Words by layer",
    "curves": "Curves",
    "path": "Path",
    "similarity": "Similarity",
    "norms": "Norms",
    "dimension": "Dimension",
}
LENS_TABS = ("lens", "curves")
READING = {
    "lens": (
        "Each cell is the word that this layer would answer after this token, if the last layer's own reading were "
        "applied to it. Read upwards: where does the answer appear? It cannot show what an early layer knows in "
        "another code than the last layer's."
    ),
    "curves": (
        "Follow the answer through the layers: the step where it rises is where it was decided. A rising curve does "
        "not say which part of that layer did it."
    ),
    "path": (
        "Each line is one position's state on its way through the layers, seen along the two directions in which the "
        "states differ most. Look for a long or a sharp step. What happens outside these two directions is not seen."
    ),
    "similarity": (
        "Bright blocks are layers that hold nearly the same picture of this input; a dark edge is where it is "
        "rewritten. Alike does not mean equally useful."
    ),
    "norms": (
        "How long each state is. Layers add to it, so it mostly grows; a token that stands out is often used as a "
        "resting place. Length says nothing about content."
    ),
    "dimension": (
        "In how many directions the positions' states really spread, layer by layer. With few tokens this is a rough "
        "estimate: compare layers, not models."
    ),
}
COLOURS = {
    "probability": "probability",
    "entropy": "entropy",
    "kl": "KL to the last layer",
    "target_probability": "probability of the answer",
}
KINDS = {"cka": "CKA", "cosine": "cosine"}
SPREADS = {"one": "the chosen position", "all": "all positions"}


def _first_tab(link: Mapping[str, Any]) -> str:
    """The tab to begin with: the lens, but for a bundled model that has no words by layer."""
    task = catalog.card(BENCH.picker.wanted(link)).get("task", "causal-lm")
    return "lens" if task == "causal-lm" else "path"


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    tab = links.choice(link, "tab", tuple(TABS), _first_tab(link))
    position = links.text(link, "position", AUTO, most=12)
    return shell.page(
        "trajectory",
        QUESTION,
        "A network builds its answer layer by layer. Watch it appear and the states move.",
        BENCH.layout(link),
        [
            dcc.Store(id="trajectory-tokens", data=followed_of(link)),
            dcc.Store(id="trajectory-dark"),
            dcc.Store(id="trajectory-opened"),
            dcc.Store(id="trajectory-of"),
            dcc.Store(id="trajectory-linked-part", data=links.text(link, "part", most=40)),
            html.Div([alert(told) for told in unknown(link)], id="trajectory-unknown"),
            html.Div(id="trajectory-no-part"),
            html.Div(id="trajectory-summary", className="panel formed", role="status"),
            LENS.parts(),
            STATES.parts(),
            html.Div(
                [
                    stack_picker.picker(PAGE, links.text(link, "part", most=40)),
                    _position(position),
                    html.Div(id="trajectory-no-position", role="status"),
                    tabs(PAGE, "Views of the layers", TABS, _panels(link), tab),
                ],
                id="trajectory-views",
                className="panel",
            ),
            html.Div(id="trajectory-downloads", className="downloads"),
            OTHERS.parts(link),
            TOUCH.parts(link),
        ],
    )


def _position(position: str) -> html.Div:
    return html.Div(
        [
            html.Label("Position", htmlFor="trajectory-position", className="form-label mb-0"),
            dbc.Select(
                id="trajectory-position", value=position, options=[{"label": "where it answers", "value": AUTO}]
            ),
            html.Span(
                "Curves, path and summary are of this token; a click in the table moves it.", className="form-text"
            ),
        ],
        className="position-picker",
    )


def _panels(link: Mapping[str, Any]) -> dict[str, list[Any]]:
    colour = links.choice(link, "colour", tuple(COLOURS), "probability")
    kind = links.choice(link, "similarity", tuple(KINDS), "cka")
    spread = links.choice(link, "paths", tuple(SPREADS), "all")
    controls: dict[str, list[Any]] = {
        "lens": [
            _choices("Colour by", "trajectory-colour", COLOURS, colour),
            lens_table.parts(PAGE),
            dbc.Button("As a figure, to save", id="trajectory-figure", size="sm", color="secondary", outline=True),
            _shown("lens"),
        ],
        "curves": [tracked_tokens.controls(PAGE), _shown("curves")],
        "path": [
            _choices("Draw", "trajectory-paths", SPREADS, spread),
            dbc.Checkbox(
                id="trajectory-unit",
                label="directions only (every state scaled to length 1)",
                value=link.get("unit") == "1",
            ),
            _shown("path"),
        ],
        "similarity": [_choices("Measure", "trajectory-measure", KINDS, kind), _shown("similarity")],
        "norms": [_shown("norms")],
        "dimension": [_shown("dimension")],
    }
    return {
        name: [
            html.P(READING[name], className="reading"),
            html.Div(id=f"trajectory-why-{name}", className="why"),
            html.Div(controls[name], id=f"trajectory-view-{name}"),
        ]
        for name in TABS
    }


def _shown(name: str) -> html.Div:
    return html.Div(id=f"trajectory-{name}", className="pictures")


def _choices(legend: str, id: str, titles: Mapping[str, str], value: str) -> html.Fieldset:
    options = [{"label": title, "value": name} for name, title in titles.items()]
    return html.Fieldset(
        [html.Legend(legend), dbc.RadioItems(id=id, options=options, value=value, inline=True)], className="choices"
    )


def register(app: Dash, engine: Engine) -> None:
    """Connect the page: requests, answers, pictures, the link."""
    BENCH.register(app, engine)
    TOUCH.register(app, engine, BENCH)
    LENS.register(app, engine)
    STATES.register(app, engine)
    OTHERS.register(app, engine)
    _register_requests(app)
    _register_parts(app)
    _register_positions(app, engine)
    _register_tokens(app, engine)
    _register_words(app, engine)
    _register_pictures(app, engine)
    _register_link(app)


def _register_requests(app: Dash) -> None:
    @app.callback(
        Output(LENS.requests, "data"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input("trajectory-tokens", "data"),
        Input("trajectory-part", "value"),
        prevent_initial_call=True,
    )
    def ask_lens(card: Card | None, given: PageInput | None, aim: Target, tokens: list[Any] | None, part: Any) -> Any:
        return lens_requests(card, given, aim, tokens, part)

    @app.callback(
        Output(STATES.requests, "data"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input("trajectory-tab", "data"),
        Input("trajectory-unit", "value"),
        Input("trajectory-part", "value"),
        State(STATES.requests, "data"),
        prevent_initial_call=True,
    )
    def ask_states(
        card: Card | None, given: PageInput | None, tab: str, unit: bool | None, part: Any, before: Any
    ) -> Any:
        asked = state_requests(card, given, tab, bool(unit), part)
        if ctx.triggered_id == "trajectory-tab" and (not asked or asked == before):
            return no_update
        return asked

    @app.callback(
        *[Output(f"trajectory-why-{name}", "children") for name in TABS],
        *[Output(f"trajectory-view-{name}", "className") for name in TABS],
        Output("trajectory-views", "className"),
        Input(BENCH.card, "data"),
        Input("trajectory-part", "value"),
    )
    def explain(card: Card | None, part: Any) -> Any:
        why = missing(card, part) if card else {}
        told = [alert(why[name], "light") if name in why else "" for name in TABS]
        shown = ["d-none" if name in why else "" for name in TABS]
        return *told, *shown, "d-none" if len(why) == len(TABS) else "panel"

    app.clientside_callback(
        ClientsideFunction("trajectory", "opened"),
        Output("trajectory-opened", "data"),
        Input(BENCH.card, "data"),
        State("trajectory-tab", "data"),
    )


def _register_parts(app: Dash) -> None:
    """Which stack of the model is looked at."""

    @app.callback(
        Output("trajectory-part", "options"),
        Output("trajectory-part", "value"),
        Output("trajectory-part-area", "className"),
        Output("trajectory-no-part", "children"),
        Output("trajectory-linked-part", "data"),
        Input(BENCH.card, "data"),
        State("trajectory-part", "value"),
        State("trajectory-linked-part", "data"),
        prevent_initial_call=True,
    )
    def parts(card: Card | None, part: Any, linked: Any) -> Any:
        if not card:
            return [no_update] * 5
        told = stack_picker.unknown(card, linked)
        shown = "position-picker" if len(stack_picker.stacks(card)) > 1 else "d-none"
        return stack_picker.options(card), stack_picker.chosen(card, part), shown, alert(told) if told else "", ""

    @app.callback(Output("trajectory-part-words", "children"), Input("trajectory-part", "value"))
    def about_part(part: Any) -> Any:
        return stack_picker.ABOUT.get(part, "")


def _register_positions(app: Dash, engine: Engine) -> None:
    """Which token's states are looked at."""

    @app.callback(
        Output("trajectory-position", "options"),
        Output("trajectory-position", "value"),
        Output("trajectory-no-position", "children"),
        Input(LENS.answers, "data"),
        Input(STATES.answers, "data"),
        Input("trajectory-pick", "data"),
        State(BENCH.card, "data"),
        State("trajectory-position", "value"),
        prevent_initial_call=True,
    )
    def places(lens: Answers | None, states: Answers | None, pick: Any, card: Card | None, value: Any) -> Any:
        if ctx.triggered_id == "trajectory-pick":
            return no_update, str(int(pick["position"])) if pick else no_update, ""
        result = take_result(engine, lens, formed.WORDS) or take_result(engine, states, formed.STATES)
        if result is None or not card:
            return no_update, no_update, no_update
        told = no_position(value, result, card)
        return position_options(result, card), AUTO if told else value, alert(told) if told else no_update

    @app.callback(
        Output("trajectory-no-position", "children", allow_duplicate=True),
        Input("trajectory-position", "value"),
        Input(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def chosen(position: Any, _input: Any) -> Any:
        reset = position == AUTO and "trajectory-position" in ctx.triggered_prop_ids.values()  # maybe with a new input
        return no_update if reset else ""


def _register_tokens(app: Dash, engine: Engine) -> None:
    """Which words are followed besides the answer."""

    @app.callback(
        Output("trajectory-tokens", "data"),
        Output("trajectory-word", "value"),
        Output("trajectory-too-many", "children"),
        Output("trajectory-of", "data"),
        Input("trajectory-follow", "n_clicks"),
        Input("trajectory-word", "n_submit"),
        Input("trajectory-pick", "data"),
        Input({"type": "trajectory-drop", "index": ALL}, "n_clicks"),
        Input(BENCH.card, "data"),
        State("trajectory-word", "value"),
        State("trajectory-tokens", "data"),
        State("trajectory-of", "data"),
        prevent_initial_call=True,
    )
    def follow(
        _click: int | None,
        _enter: int | None,
        pick: Any,
        drops: Any,
        card: Card | None,
        word: Any,
        tokens: list[Any] | None,
        of: Any,
    ) -> Any:
        asked = ctx.triggered_id
        if asked == BENCH.card:
            others = card and of and of != card["name"]  # another model has other words
            return [] if others else no_update, no_update, "", card["name"] if card else of
        if isinstance(asked, dict):
            left = [t for i, t in enumerate(tokens or []) if i != asked["index"]]
            return left if any(drops) else no_update, no_update, "", no_update
        picked = asked == "trajectory-pick"
        try:
            after = figures.with_token(tokens or [], int(pick["token"]) if picked else (word or "").strip())
        except Refused as refused:
            return no_update, no_update, str(refused), no_update
        return after, no_update if picked else "", "", no_update

    @app.callback(
        Output("trajectory-followed", "children"),
        Input(LENS.answers, "data"),
        Input("trajectory-tokens", "data"),
    )
    def chips(answers: Answers | None, tokens: list[Any] | None) -> Any:
        why = reasons(answers)
        found = [take_result(engine, answers, token_name(t)) for t in tokens or []]
        words = [formed.followed(r, "target") if r is not None else None for r in found]
        each = zip(tokens or [], words, strict=True)
        return [tracked_tokens.chip(PAGE, i, t, word, token_name(t) in why) for i, (t, word) in enumerate(each)]


def _register_words(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output("trajectory-summary", "children"),
        Input(LENS.answers, "data"),
        Input(STATES.answers, "data"),
        Input("trajectory-position", "value"),
        State(BENCH.card, "data"),
        State(BENCH.input, "data"),
    )
    def summarise(
        lens: Answers | None, states: Answers | None, position: Any, card: Card | None, given: PageInput | None
    ) -> Any:
        found = take_result(engine, lens, formed.WORDS), take_result(engine, states, formed.STATES)
        return summary(*found, position, card, given)

    @app.callback(
        Output("trajectory-table", "data"),
        Input(LENS.answers, "data"),
        Input("trajectory-position", "value"),
        Input("trajectory-colour", "value"),
        State(BENCH.card, "data"),
        prevent_initial_call=True,
    )
    def words(answers: Answers | None, position: Any, colour: Any, card: Card | None) -> Any:
        result = take_result(engine, answers, formed.WORDS)
        return lens_table.table(result, colour, place(position, result, card)) if result and card else None

    @app.callback(
        Output("trajectory-lens", "children"),
        Input("trajectory-figure", "n_clicks"),
        Input("trajectory-table", "data"),
        Input("trajectory-dark", "data"),
        State(LENS.answers, "data"),
        State("trajectory-colour", "value"),
        prevent_initial_call=True,
    )
    def as_figure(clicks: int | None, shown: Any, dark: bool | None, answers: Answers | None, colour: Any) -> Any:
        result = take_result(engine, answers, formed.WORDS)
        if not clicks or not shown or result is None:
            return []
        figure = figures.lens(result, colour, shown["columns"][0]["position"], bool(dark))
        key = key_of(result.request)
        return [picture("trajectory-graph-lens", figure, "The logit lens", "vitrine-lens", key)]

    app.clientside_callback(
        ClientsideFunction("lens_table", "draw"),
        Output("trajectory-grid", "className"),
        Input("trajectory-table", "data"),
        Input("trajectory-tab", "data"),
    )


def _register_pictures(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output("trajectory-curves", "children"),
        Input(LENS.answers, "data"),
        Input("trajectory-position", "value"),
        Input("trajectory-tab", "data"),
        Input("trajectory-dark", "data"),
        State("trajectory-tokens", "data"),
        State(BENCH.aim, "data"),
        State(BENCH.card, "data"),
        prevent_initial_call=True,
    )
    def curves(
        answers: Answers | None,
        position: Any,
        tab: str,
        dark: bool | None,
        tokens: list[Any] | None,
        aim: Target,
        card: Card | None,
    ) -> Any:
        result = take_result(engine, answers, formed.WORDS)
        if tab != "curves":
            return no_update
        if result is None or not card:
            return []
        others = [r for t in followed(aim, tokens) if (r := take_result(engine, answers, token_name(t))) is not None]
        return curve_pictures(result, others, place(position, result, card), bool(dark))

    @app.callback(
        *[Output(f"trajectory-{name}", "children") for name in STATE_PICTURES],
        Input(STATES.answers, "data"),
        Input("trajectory-position", "value"),
        Input("trajectory-tab", "data"),
        Input("trajectory-measure", "value"),
        Input("trajectory-paths", "value"),
        Input("trajectory-dark", "data"),
        State(BENCH.card, "data"),
        prevent_initial_call=True,
    )
    def states(
        answers: Answers | None, position: Any, tab: str, kind: Any, spread: Any, dark: bool | None, card: Card | None
    ) -> Any:
        result = take_result(engine, answers, formed.STATES)
        shown: list[Any] = [no_update] * len(STATE_PICTURES)
        if result is None or not card:
            return [[]] * len(STATE_PICTURES)
        if tab in STATE_PICTURES:
            at = place(position, result, card)
            view = {"kind": kind, "spread": spread, "causal": formed.causal(result, card), "dark": bool(dark)}
            shown[STATE_PICTURES.index(tab)] = state_picture(result, tab, at, **view)
        return shown


def _register_link(app: Dash) -> None:
    @app.callback(
        Output(shell.LINK, "data"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input("trajectory-tab", "data"),
        Input("trajectory-position", "value"),
        Input("trajectory-colour", "value"),
        Input("trajectory-measure", "value"),
        Input("trajectory-paths", "value"),
        Input("trajectory-unit", "value"),
        Input("trajectory-tokens", "data"),
        Input("trajectory-part", "value"),
        prevent_initial_call=True,
    )
    def link(
        card: Card | None,
        given: PageInput | None,
        aim: Target,
        tab: str,
        position: Any,
        colour: Any,
        kind: Any,
        spread: Any,
        unit: bool | None,
        tokens: list[Any] | None,
        part: Any,
    ) -> Any:
        if not card or not given:
            return no_update
        view = {
            "tab": tab,
            "position": position,
            "colour": colour,
            "similarity": kind,
            "paths": spread,
            "unit": "1" if unit else "",
            "part": "" if stack_picker.answers(card, part) else part,
        }
        return {"path": PATH, "params": link_params(card, given, aim) | view_params(view, tokens)}

    @app.callback(
        Output("trajectory-downloads", "children"),
        Input(LENS.answers, "data"),
        Input(STATES.answers, "data"),
        Input("trajectory-tab", "data"),
    )
    def downloads(lens: Answers | None, states: Answers | None, tab: str) -> Any:
        key = answer_keys(lens).get(formed.WORDS) if tab in LENS_TABS else answer_keys(states).get(formed.STATES)
        what = "the lens" if tab in LENS_TABS else "the states"
        view: dict[str, Any] | None = {} if tab == "lens" else None  # of the table there is no picture on the page
        return exports(key, what=what, view=view) if key else ""


STATE_PICTURES = ("path", "similarity", "norms", "dimension")


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that a link asks for and this page has not."""
    said = [
        *links.unknown(link, "tab", TABS, "lens"),
        *links.unknown(link, "colour", COLOURS, "probability"),
        *links.unknown(link, "similarity", KINDS, "cka"),
        *links.unknown(link, "paths", SPREADS, "all"),
    ]
    if link.get("tokens") and not followed_of(link):
        said.append("The link asks to follow words, but names none that can be read; none is followed.")
    return said


def lens_requests(
    card: Any, given: Any, aim: Any, tokens: Sequence[int | str] | None, part: Any = ""
) -> dict[str, Any]:
    """The lens of the target, and of each followed token; empty where the model, or this part of it, has no lens."""
    lens = offers.first(card, PAGE, formed.WORDS) if card else ""
    if not fits(card, given) or not lens or not stack_picker.answers(card, part):
        return {}
    asked = {formed.WORDS: run_request(card, given, lens, {}, aim)}
    return asked | {token_name(t): run_request(card, given, lens, {}, t) for t in followed(aim, tokens)}


def state_requests(card: Any, given: Any, tab: str, unit: bool = False, part: Any = "") -> dict[str, Any]:
    """The states of all layers, asked for when a tab shows them or when there is no lens to show."""
    if not fits(card, given):
        return {}
    there = views(card)
    lens = formed.WORDS in there and stack_picker.answers(card, part)
    if formed.STATES not in there or (tab in LENS_TABS and lens):
        return {}
    options = {"unit_length": unit, "part": stack_picker.chosen(card, part)}
    return {formed.STATES: run_request(card, given, there[formed.STATES], options, None)}


def views(card: Card) -> dict[str, str]:
    """The method of each view that this model can have."""
    found = {view: offers.first(card, PAGE, view) for view in (formed.WORDS, formed.STATES)}
    return {view: method for view, method in found.items() if method}


def missing(card: Card, part: Any = "") -> dict[str, str]:
    """For each tab that this model, or this part of it, cannot fill, the sentence that says why."""
    why = formed.not_offered(card, views(card), part)
    return {name: why[view] for name in TABS if (view := formed.WORDS if name in LENS_TABS else formed.STATES) in why}


def summary(
    lens: Result | None, states: Result | None, position: Any, card: Card | None, given: Any = None
) -> list[Any]:
    """In plain words: when the answer appeared, or where the states changed most; or what is still to be given."""
    if not card:
        return []
    if lens is not None:
        at = place(position, lens, card)
        said = formed.lens_summary(lens, at)
        if at != formed.answer_place(lens, card):
            said[0] = (
                f"After {formed.quoted(figures.tokens(lens)[at])} (position {at}), {said[0][0].lower()}{said[0][1:]}"
            )
    elif states is not None:
        said = formed.path_summary(states, place(position, states, card))
    elif not views(card):
        said = [formed.not_offered(card, ())[formed.STATES]]
        more = dcc.Link("What drove its answer?", href=links.link("/attribution", model=card["name"]))
        return [html.P([*said, " ", more], className="mb-0")]
    else:
        said = [told] if not fits(card, given) and (told := inputs.guidance(card, given)) else []
    if not said:
        return []
    return [html.P(" ".join(said), className="mb-0")]


def curve_pictures(result: Result, others: Sequence[Result], at: int, dark: bool) -> list[Any]:
    """Probability and rank of the target and the followed tokens; entropy and KL at the same position."""
    drawn = {m: figures.curves(result, others, m, at, dark) for m in figures.measures(result)}
    return [
        picture(f"trajectory-curve-{m}", figure, f"{m} through the layers", f"vitrine-{m}", key_of(result.request))
        for m, figure in drawn.items()
    ]


def state_picture(result: Result, tab: str, at: int, kind: str, spread: str, causal: bool, dark: bool) -> list[Any]:
    """The picture of one tab over the states."""
    figure = figures.states(result, tab, at, kind, spread == "one", causal, dark)
    if isinstance(figure, str):
        return [alert(figure, "light")]
    words = f"{TABS[tab]} of the states, layer by layer"
    return [picture(f"trajectory-graph-{tab}", figure, words, f"vitrine-{tab}", key_of(result.request))]


USUAL = {
    "tab": "lens",
    "position": AUTO,
    "colour": "probability",
    "similarity": "cka",
    "paths": "all",
    "unit": "",
    "part": "",
}


def view_params(view: Mapping[str, Any], tokens: Sequence[int | str] | None) -> dict[str, Any]:
    """The view as parameters of the link; what is as the page opens is left out."""
    params = {name: value for name, value in view.items() if value != USUAL[name]}
    return params | ({"tokens": list(tokens)} if tokens else {})

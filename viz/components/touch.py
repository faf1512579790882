"""Touch the input: words or regions of it are hidden or swapped, and the answer is seen before and after at once.

A page puts `Touch(page).parts(link)` at the end of its layout and calls `register` once. It is a panel at the foot of
the window, closed until something is touched: in it stands the input, word by word or as a picture, and so do the
coloured texts and the maps over pictures of the page. Undo, redo and Back go through the browser's history; what was
touched is in the link as `touch` (assets/touch.js).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from backends.errors import Refused
from backends.inputs import edits
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Edit
from backends.words import touched
from viz.components import inputs, links
from viz.components.alerts import alert
from viz.components.inputs import PageInput
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, if_new, in_words, reasons
from viz.components.receipt import stand_ins, standing
from viz.components.workbench import Workbench
from viz.figures.words import percent, visible

MOST_WORDS = 400
"""Words of a text that can be touched; of a longer one the first."""


class Touch:
    """The place on a page where its input is touched; ids are `<page>-touch-…`."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.panel = JobPanel(page, "touch", "Asking the model again", tell=False)
        self.edits = self.id("edits")

    def id(self, part: str) -> str:
        """The id of one part."""
        return f"{self.page}-touch-{part}"

    def parts(self, link: Mapping[str, Any]) -> html.Section:
        """The panel as the link left it."""
        kinds = [
            html.Button(words, id=self.id(part), type="button", className="export", **{"aria-pressed": str(on).lower()})
            for words, part, on in (("Click hides", "hide", True), ("Click swaps", "swap", False))
        ]
        tools = [
            html.Div(kinds, className="touch-mode", role="group", **{"aria-label": "What a click on a word does"}),
            html.Button("Undo", id=self.id("undo"), type="button", className="export", title="Ctrl + Z"),
            html.Button("Redo", id=self.id("redo"), type="button", className="export", title="Ctrl + Shift + Z"),
            html.Button("Restore all", id=self.id("clear"), type="button", className="export"),
            html.Div(
                [
                    html.Label("Hidden parts become", htmlFor=self.id("becomes"), className="form-label"),
                    dbc.Select(id=self.id("becomes"), options=[], value="", size="sm"),
                ],
                className="touch-becomes",
            ),
        ]
        return html.Section(
            [
                dcc.Store(id=self.edits, data=linked(link)),
                dcc.Store(id=self.id("about")),
                dcc.Store(id=self.id("opened")),
                dcc.Store(id=self.id("seen")),
                self.panel.parts(),
                html.Button(
                    "Touch the input", id=self.id("open"), type="button", className="touch-open", disabled=True,
                    title="Hide or swap parts of the input, and see what becomes of the answer",
                    **{"aria-expanded": "false", "aria-controls": self.id("body")},
                ),
                html.Div(
                    [
                        html.Div(
                            [
                                html.Div(id=self.id("input"), className="touch-input", role="group",
                                         **{"aria-label": "The input, to be touched"}),
                                html.Div(tools, className="touch-tools"),
                            ],
                            className="touch-left",
                        ),
                        html.Div(
                            [html.Div(unread(link), id=self.id("said"), className="touch-said", role="status"),
                             html.Div(id=self.id("bars"), className="touch-bars")],
                        ),
                    ],
                    id=self.id("body"), className="touch-body", hidden=True,
                ),
            ],
            id=self.id("panel"), className="touch", **{"aria-label": "Touch the input", "data-page": self.page},
        )  # fmt: skip

    def register(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        """Connect what is touched to its job, and the answer to the bars."""
        self.panel.register(app, engine)
        self._register_input(app, engine, bench)
        self._register_answer(app, engine)

        @app.callback(
            Output(self.panel.requests, "data"),
            Input(self.edits, "data"),
            Input(self.id("becomes"), "value"),
            Input(self.id("about"), "data"),
            Input(self.id("opened"), "data"),
            State(bench.card, "data"),
            State(bench.input, "data"),
            State(self.panel.requests, "data"),
            prevent_initial_call=True,
        )
        def ask(
            made: Any, becomes: Any, about: Any, opened: Any, card: Card | None, given: PageInput | None, before: Any
        ) -> Any:
            wanted = asked(card, given, made, becomes, about, bool(opened))
            return if_new(wanted, before) if wanted or before else no_update  # a page that is opened asks nothing

        app.clientside_callback(
            ClientsideFunction("touch", "draw"),
            Input(self.id("about"), "data"),
            Input(self.edits, "data"),
            Input(self.id("seen"), "data"),
            State(self.id("panel"), "id"),
        )
        app.clientside_callback(ClientsideFunction("touch", "settled"), Input(self.panel.answers, "data"))

    def _register_input(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        @app.callback(
            Output(self.id("about"), "data"),
            Output(self.id("becomes"), "options"),
            Output(self.id("becomes"), "value"),
            Input(bench.predicting.answers, "data"),
            State(bench.card, "data"),
            State(bench.input, "data"),
            State(self.id("becomes"), "value"),
            prevent_initial_call=True,
        )
        def about(answers: Answers | None, card: Card | None, given: PageInput | None, becomes: Any) -> Any:
            key = answer_keys(answers).get("answer")
            if not key or card is None or given is None:
                return no_update if not reasons(answers) else None, no_update, no_update
            found = engine.store.get_document(key)
            there = stand_ins(card)
            options = [{"label": words, "value": kind} for kind, words in there.items()]
            return told(card, given, found), options, standing({"replacement": becomes}, there)

    def _register_answer(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.id("seen"), "data"),
            Input(self.panel.answers, "data"),
            State(self.panel.requests, "data"),
            State(self.id("seen"), "data"),
            prevent_initial_call=True,
        )
        def see(answers: Answers | None, requests: Requests | None, before: Any) -> Any:
            key, request = answer_keys(answers).get("whole"), (requests or {}).get("whole")
            if not key or not request or (before or {}).get("of") == request["input"]:
                return no_update
            return {"of": request["input"], "image": engine.store.get_document(key)["image"]}

        @app.callback(
            Output(self.id("said"), "children"),
            Output(self.id("bars"), "children"),
            Input(self.panel.answers, "data"),
            Input(self.edits, "data"),
            State(self.id("about"), "data"),
            prevent_initial_call=True,
        )
        def show(answers: Answers | None, made: Any, about: Any) -> Any:
            if not made:
                return "Click a word to hide it, and again to restore it; or drag over the picture.", []
            if why := reasons(answers).get("answer"):
                return alert(in_words(why)), []
            key = answer_keys(answers).get("answer")
            if not key:
                return no_update, no_update
            found = engine.store.get_document(key)
            return sentence(found, made, about or {}), bars(found)


def linked(link: Mapping[str, Any]) -> list[Any]:
    """What a link says was touched; nonsense is left out."""
    try:
        given = json.loads(links.text(link, "touch") or "[]")
        edits.read(given)
    except (ValueError, RecursionError, Refused):
        return []
    return list(given)


def unread(link: Mapping[str, Any]) -> Any:
    """A sentence where a link says that something was touched, and what cannot be read."""
    there = link.get("touch") not in (None, "", "[]") and not linked(link)
    return alert("What this link says was touched in the input cannot be read; nothing is.") if there else ""


def asked(card: Any, given: Any, made: Any, becomes: Any, about: Any, opened: bool = True) -> dict[str, Any]:
    """The job for what is touched; none where nothing is, or where it was touched in another input.

    Once the panel is open, that of an untouched image, too: it has what the model saw, which may be a part of it.
    """
    if not becomes or not about or not inputs.fits(card, given) or about.get("of") != given["digest"]:
        return {}
    wanted = {"answer": list(made)} if made else {}
    wanted |= {"whole": []} if opened and about.get("image") else {}
    about_it = {"model": card["name"], "revision": card["revision"], "input": given["digest"], "replacement": becomes}
    return {name: Edit(edits=edits, **about_it).plain() for name, edits in wanted.items()}


def told(card: Card, given: PageInput, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What can be touched: the words with their places in the text, or the picture; None where nothing can."""
    answers = found.get("prediction") or found.get("output") is not None
    if not card["replacements"] or not answers:
        return None
    if given.get("image"):
        return {"of": given["digest"], "image": True}
    text = given.get("text", "")
    spans = found.get("spans")
    if not text or not spans:
        return None
    words = [list(span) for span in touched(text, spans)]
    return {"of": given["digest"], "text": text, "words": words[:MOST_WORDS], "more": max(0, len(words) - MOST_WORDS)}


def sentence(found: Mapping[str, Any], made: Sequence[Any], about: Mapping[str, Any]) -> str:
    """What was done, and what became of the answer, in one sentence."""
    what = _done(made, str(about.get("text", "")))
    if found["output"] is not None:
        before, after = found["output"]
        return f"{what}: the similarity goes from {before:.3f} to {after:.3f}.".replace("-", "−")
    first = max(found["choices"], key=lambda c: c["before"])
    last = max(found["choices"], key=lambda c: c["after"])
    if found["flips"]:
        return (
            f"{what}: the answer flips from {visible(first['label'], 40)} ({percent(first['before'])}) to "
            f"{visible(last['label'], 40)} ({percent(last['after'])})."
        )
    name, change = visible(first["label"], 40), f"{percent(first['before'])} → {percent(first['after'])}"
    return f"{what}: the answer stays {name} ({change})."


def _done(made: Sequence[Any], text: str) -> str:
    hidden = [text[e[0] : e[1]] for e in made if len(e) == 2]
    swapped = [f"“{text[e[0] : e[1]]}” swapped for “{e[2]}”" for e in made if len(e) == 3]
    regions = sum(len(e) == 4 for e in made)
    said = [f"“{'”, “'.join(visible(w, 24) for w in hidden[:4])}”{' and more' if len(hidden) > 4 else ''} hidden"]
    parts = said if hidden else []
    parts += swapped[:3] + ([f"{regions} regions hidden"] if regions > 1 else ["a region hidden"] if regions else [])
    return ("With " + "; ".join(parts)) if parts else "As it is"


def bars(found: Mapping[str, Any]) -> list[Any]:
    """Two bars for each answer: before and after."""
    if not found["choices"]:
        return []
    legend = html.Div(
        [
            html.Span("before", className="touch-key touch-before"),
            html.Span("after", className="touch-key touch-after"),
        ],
        className="touch-legend",
    )
    return [legend, *[_pair(one) for one in found["choices"]]]


def _pair(one: Mapping[str, Any]) -> html.Div:
    sides = [
        html.Div(
            [html.Div(html.I(style={"width": f"{100 * one[side]:.1f}%"}), className=f"touch-bar touch-{side}"),
             html.Span(percent(one[side]))],
            className="touch-side",
        )
        for side in ("before", "after")
    ]  # fmt: skip
    return html.Div([html.Div(visible(one["label"], 40), className="touch-label"), *sides], className="touch-pair")

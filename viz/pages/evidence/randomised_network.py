"""When explanations lie: a map beside that of a network that knows nothing, and one drawn at random, each tested."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html, no_update

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import RandomisedNetwork
from backends.results import Result, regroup
from viz.components import heat_canvas, links, offers, receipt, workbench
from viz.components.exports import exports
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, reasons
from viz.components.labelled_select import labelled_select
from viz.components.method_choice import chosen_for
from viz.components.token_heat_text import coloured_text, legend
from viz.figures.comparison import shared_scale
from viz.pages.evidence import receipt_options
from viz.pages.evidence.panel import Panel, ask_while_open
from viz.pages.evidence.receipt_options import PAGE, part

BLIND = JobPanel(PAGE, "blind", "Asking a network that knows nothing", tell=False)
MAPS = {
    "trained": ("The trained network", "This is the map that the Attribution page shows."),
    "shuffled": (
        "A network that knows nothing",
        "The same method and the same input, but the numbers within each layer were shuffled: nothing that was learnt "
        "is left. Its map is tested on the trained network.",
    ),
    "random": ("Drawn at random", "Smooth shapes, or a value for each word, that nobody computed from anything."),
}
READING = (
    "A picture can look convincing and mean nothing. Below, the same method explains the same input on the trained "
    "network and on one whose weights were shuffled; beside them is a map that was drawn at random. Only the first "
    "should hold. Where another one holds, this test cannot tell them apart, and so should not you."
)


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The pickers and the three places, as the link left them."""
    wanted = links.text(link, "method", most=60)
    return [
        html.P(READING, className="reading"),
        html.Div(
            [
                labelled_select(
                    part("method"), "Method", [{"label": wanted, "value": wanted}] if wanted else [], wanted or None
                ),
                dbc.Switch(
                    id=part("same"), value=links.text(link, "same") != "0", label="One colour scale for all",
                    class_name="same",
                ),
                html.Div(id=part("same-said"), className="hint"),
            ],
            className="view-row",
        ),
        BLIND.parts(),
        html.Div(id=part("blind-said"), role="status"),
        html.Div([_card(name) for name in MAPS], className="results", id=part("blind-cards")),
    ]  # fmt: skip


def _card(name: str) -> html.Article:
    title, words = MAPS[name]
    return html.Article(
        [
            html.Div(html.H2(title, id=part(f"{name}-title")), className="result-head"),
            html.P(words, className="hint"),
            html.Div(id=part(f"{name}-text")),
            html.Div(heat_canvas.heat_canvas(part(f"{name}-heat"), title), id=part(f"{name}-area"), className="d-none"),
            html.Div(id=part(f"{name}-receipt")),
            html.Div(id=part(f"{name}-exports")),
        ],
        id=part(f"{name}-card"),
        className="d-none",
        **{"aria-labelledby": part(f"{name}-title")},
    )


def ask(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Offer the methods, and ask for the maps of the one that is chosen."""

    @app.callback(
        Output(part("method"), "options"),
        Output(part("method"), "value"),
        Input(bench.card, "data"),
        State(part("method"), "value"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, wanted: Any) -> Any:
        there = offers.offered(card, "attribution") if card else {}
        if card is None or not there:
            return no_update, no_update
        options = [{"label": entry.title, "value": name} for name, entry in there.items()]
        return options, wanted if wanted in there else chosen_for(card, None)[0]

    ask_while_open("blind", BLIND, requests, ("method",))(app, engine, bench)


def show(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect the answer with the three maps and their receipts."""
    for name in MAPS:
        heat_canvas.register(app, part(f"{name}-heat"))
    sides = ("card", "className"), ("text", "children"), ("area", "className"), ("receipt", "children")
    outputs = [
        Output(part(f"{name}-{side}"), prop) for name in MAPS for side, prop in (*sides, ("exports", "children"))
    ]

    @app.callback(
        Output(part("blind-said"), "children"),
        Output(part("same-said"), "children"),
        *[Output(part(f"{name}-heat-spec"), "data") for name in MAPS],
        *outputs,
        Input(BLIND.answers, "data"),
        Input(part("same"), "value"),
        State(BLIND.requests, "data"),
        State(bench.card, "data"),
        State(bench.input, "data"),
        prevent_initial_call=True,
    )
    def draw(
        answers: Answers | None, same: bool | None, asked: Requests | None, card: Card | None, given: Any
    ) -> tuple[Any, ...]:
        document, maps, why = read(engine, answers)
        if document is None or not asked:
            nothing = [*[None] * 3, *["d-none", [], "d-none", [], []] * 3]
            return receipt_options.unanswered(why, asked, card, given), "", *nothing
        scale = shared_scale(list(maps.values())) if same else None
        specs, rows = [], []
        for name in MAPS:
            spec, row = shown(name, maps.get(name), document, asked["blind"], scale)
            specs.append(spec)
            rows += row
        return said(document), scaled(bool(same)), *specs, *rows


def requests(card: Any, given: Any, aim: Any, options: Mapping[str, Any], method: Any) -> dict[str, Any]:
    """The job of the three maps; none while something is missing."""
    if not receipt_options.ready(card, given):
        return {}
    if method not in offers.offered(card, "attribution"):
        return {}
    run = workbench.run_request(card, given, method, {}, aim)
    return {"blind": RandomisedNetwork.of_run(run, receipt_options.of_run(run, options, aim)).plain()}


def read(engine: Engine, answers: Any) -> tuple[dict[str, Any] | None, dict[str, Result], str]:
    """What was found, its maps by name, and a sentence where there is nothing."""
    key = answer_keys(answers).get("blind")
    why = reasons(answers).get("blind", "")
    if not key:
        return None, {}, why
    try:
        document = engine.store.get_document(key)
        return document, {name: engine.store.get_result(at) for name, at in document["maps"].items()}, ""
    except Refused as refused:
        engine.store.forget(key)  # what is asked for again is made again, with its maps
        return None, {}, str(refused)


def said(document: Mapping[str, Any]) -> list[Any]:
    """How alike the first two maps are, beside two inputs' maps, and which of the three hold."""
    line, verdicts = document["line"], {name: found["verdict"] for name, found in document["receipts"].items()}
    caught = all(verdicts.get(name) == "fails" for name in verdicts if name != "trained")
    telling = verdicts["trained"] == "holds" and caught
    words = "The test tells them apart: only the trained network's map holds." if telling else amiss(verdicts)
    if line is None:
        return [html.P(html.B(words), className="score"), html.P(document["problem"])]
    return [
        html.P(html.B(words), className="score"),
        html.P(
            [
                "Alike to the map of shuffled weights: ",
                html.B(receipt.number(line["value"])),
                html.Span(
                    f" (rank correlation, 1 is the same, or its opposite{_chance(document['chance'])})",
                    className="hint",
                ),
                ". ",
                receipt.mark(line["verdict"]),
            ]
        ),
    ]


def amiss(verdicts: Mapping[str, str]) -> str:
    """What is not as it should be, in words."""
    if verdicts["trained"] == "fails":
        first = "Even the trained network's map fails"
    elif verdicts["trained"] == "cannot tell":
        first = "Of the trained network's map nothing can be told"
    else:
        first = "The trained network's map holds"
    names = {"shuffled": "the map of the network that knows nothing", "random": "the map drawn at random"}
    kinds = {"holds": "holds, too", "cannot tell": "is not refuted", "fails": "fails, as it should"}
    rest = [f"{words} {kinds[verdicts[name]]}" for name, words in names.items() if name in verdicts]
    return "; ".join([first, *rest]) + "."


def _chance(value: float | None) -> str:
    return "" if value is None else f"; the maps of two different inputs: {receipt.number(value)}"


def scaled(same: bool) -> str:
    """What the colours can be compared by."""
    if same:
        return "Equal colours are equal numbers; a network that knows nothing often gives far weaker ones."
    return "Each picture has its own scale: compare where, not how much."


def shown(
    name: str, result: Result | None, document: Mapping[str, Any], request: Mapping[str, Any], scale: Any
) -> tuple[Any, list[Any]]:
    """The spec of a map's canvas, and the parts of its card: class, text, class of the canvas, receipt, exports."""
    if result is None:
        return None, ["d-none", [], "d-none", [], []]
    key, found = document["maps"][name], document["receipts"][name]
    title = MAPS[name][0]
    made = shortened(found, document["decides"])
    slug = {"holds": "holds", "fails": "fails"}.get(found["verdict"], "open")
    box = html.Section(made, className=f"receipt receipt-{slug}", **{"aria-label": f"Receipt: {title}"})
    method = registry.method(request["method"]).title
    if result.arrays["attribution"].ndim == 1:
        drawn = dataclasses.replace(regroup(result, "word"), method=result.method)
        text = [coloured_text(drawn, part(f"{name}-words"), scale), legend(drawn, scale)]
        return None, ["panel result", text, "d-none", box,
                      exports(key, part(f"{name}-words"), f"{method}, {title.lower()}", link=False)]  # fmt: skip
    spec = heat_canvas.spec(
        part(f"{name}-heat"), f"{method}: {title.lower()}", heat_canvas.map_url(key, "attribution"),
        quantity="attribution", value=heat_canvas.value_url(key, "attribution"), image=heat_canvas.image_url(key),
        scale=scale, opacity=0.7, height=300, controls=("opacity", "colours"), group=PAGE,
    )  # fmt: skip
    return spec, ["panel result", [], "", box,
                  exports(key, part(f"{name}-heat"), f"{method}, {title.lower()}", link=False)]  # fmt: skip


def shortened(found: Mapping[str, Any], decides: str) -> list[Any]:
    """A receipt's badge, with the sentence that decided in sight."""
    head, effect, *more = receipt.told(found, "Should you believe this map?")
    sentence = next(line["sentence"] for line in found["lines"] if line["name"] == decides)
    return [head, effect, html.P(sentence), *more]


def link_of(card: Card, method: Any, same: Any) -> dict[str, str]:
    """What the link carries: only what differs from the usual."""
    usual = chosen_for(card, None) if offers.offered(card, "attribution") else [""]
    return {"method": method if method and method != usual[0] else "", "same": "" if same else "0"}


PANEL = Panel(
    tab="blind",
    title="When explanations lie",
    job=BLIND,
    parts=parts,
    ask=ask,
    show=show,
    link=lambda card, given, view: link_of(card, view["method"], view["same"]),
    values=("method", "same"),
)

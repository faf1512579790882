"""What all tests of the evidence page share: what hidden parts become, and how hard is tested.

Ids are `evidence-<part>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, html, no_update

from backends.models.card import Card
from viz.components import inputs, links, offers, receipt, workbench
from viz.components.alerts import alert
from viz.components.exports import copy_link
from viz.components.job_panel import in_words
from viz.components.labelled_select import labelled_select

PAGE = "evidence"
EFFORTS = {"1": "as usual", "2": "twice as hard", "4": "four times as hard", "8": "eight times as hard"}


def part(name: str) -> str:
    """The id of one part of the page."""
    return f"{PAGE}-{name}"


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The pickers as the link left them."""
    wanted = links.text(link, "standin", most=40)
    kept = [{"label": receipt.WORDS.get(wanted, wanted), "value": wanted}] if wanted else []
    efforts = [{"label": words, "value": name} for name, words in EFFORTS.items()]
    return [
        labelled_select(part("standin"), "Hidden parts become", kept, wanted),
        labelled_select(part("effort"), "Test", efforts, links.choice(link, "effort", tuple(EFFORTS), "1")),
        html.Div(
            "A verdict holds for what stands in: hide by something else, or test harder, and see whether it stays.",
            className="hint",
        ),
        copy_link(),
    ]


def register(app: Dash, card: str) -> None:
    """Offer what can stand in on the model of the store `card`."""

    @app.callback(
        Output(part("standin"), "options"),
        Output(part("standin"), "value"),
        Input(card, "data"),
        State(part("standin"), "value"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, wanted: Any) -> Any:
        if not card:
            return no_update, no_update
        there = receipt.stand_ins(card)
        options = [{"label": words, "value": kind} for kind, words in there.items()]
        return options, receipt.standing({"replacement": wanted}, there)


def missing(card: Any, given: Any) -> str:
    """What is still to be given, or that this model has no map to test; empty when nothing is."""
    if not card:
        return ""
    if not offers.offered(card, "attribution"):
        return "No method of the Attribution page fits this model, so there is no map to test."
    return inputs.guidance(card, given)


def guided(card: Any, given: Any) -> Any:
    """`missing` as it stands on the page."""
    told = missing(card, given)
    return html.P(told, className="hint") if told else []


def unanswered(why: str, asked: Any, card: Any, given: Any) -> Any:
    """What stands in the place of an answer: why there is none, or what is to be given before one is asked for."""
    return alert(in_words(why)) if why else [] if asked else guided(card, given)


def ready(card: Any, given: Any) -> bool:
    """Whether there is all that a test needs."""
    return workbench.fits(card, given) and not missing(card, given)


def options(card: Any, standin: Any, effort: Any) -> dict[str, Any]:
    """The options of a receipt on the model, always complete, so that one test has one key."""
    hard = int(effort) if effort in EFFORTS else 1
    return receipt.clean({"replacement": standin, "effort": hard}, receipt.stand_ins(card))


def of_run(run: Mapping[str, Any], options: Mapping[str, Any], aim: Any) -> dict[str, Any]:
    """The options for the map of `run`: one that is the same for every answer is tested with the answer chosen."""
    return {**options} if run["target"] == aim else {**options, "target": aim}


def link_of(card: Card, standin: Any, effort: Any) -> dict[str, str]:
    """What the link carries: only what differs from the usual."""
    first = next(iter(receipt.stand_ins(card)), "")
    return {"standin": standin if standin and standin != first else "", "effort": effort if effort != "1" else ""}


def downloads(key: str, what: str) -> html.Div:
    """Links that take the table of the document `key` away."""
    files = [
        html.A(words, href=f"/audits/{key}/{kind}", download="", className="export",
               **{"aria-label": f"Download {what} as {words}"})
        for kind, words in (("csv", "CSV"), ("json", "JSON"))
    ]  # fmt: skip
    return html.Div([html.Span("Save as", className="hint"), *files], className="exports")

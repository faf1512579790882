"""Three doors, by what somebody came for. A door leads to its own room once there is one, else to where it begins."""

from __future__ import annotations

from typing import NamedTuple

from dash import dcc, html

from viz.components.links import link
from viz.pages import page_modules


class Door(NamedTuple):
    """A door: its name, what is done behind it, the `room` it leads to once there is a page of that path.

    Until then it leads to the first of `ways`, each a link and what stands there.
    """

    name: str
    does: str
    room: str
    ways: tuple[tuple[str, str], ...]


def doors() -> tuple[Door, ...]:
    """The doors, for somebody who teaches, who investigates, and who reviews."""
    misled, honest, names = "bundled/radiograph-shortcut", "bundled/radiograph", "bundled/names"
    return (
        Door(
            "Teach",
            "Show a class a network that cheats, a picture that lies, an answer that forms.",
            "/lessons",
            (
                (link("/evidence", model=honest, tab="blind"), "Evidence: which of three maps is real?"),
                (link("/attribution", model=misled), "Attribution: a network that cheats"),
                (link("/trajectory", model=names), "Trajectory: an answer that forms"),
            ),
        ),
        Door(
            "Investigate",
            "Look into heads, layers and causes, of these networks or of your own.",
            "/investigate",
            (
                (link("/attention", model=names), "Attention: every head at once"),
                (link("/causal", model=names), "Causal: which parts make the answer"),
                (link("/model", model=names), "Model: its parts, and what was checked"),
            ),
        ),
        Door(
            "Review",
            "Judge a network's answers on a table of cases, and whether to believe its maps.",
            "/review",
            (
                (link("/data", model="bundled/triage"), "Data: your own cases, right and wrong"),
                (link("/evidence", model="bundled/triage"), "Evidence: every map put to the test"),
            ),
        ),
    )


def parts() -> html.Section:
    """The doors side by side."""
    rooms = {page.PATH: page.TITLE for page in page_modules()}
    return html.Section([_door(door, rooms) for door in doors()], className="front-doors", **{"aria-label": "Ways in"})


def _door(door: Door, rooms: dict[str, str]) -> html.Div:
    ways = [*door.ways]
    if door.room in rooms:
        ways.insert(0, (door.room, rooms[door.room]))
    (first, where), *others = ways
    return html.Div(
        [
            dcc.Link([html.B(door.name), html.Span(f"opens {where}")], href=first, className="front-door"),
            html.P(door.does),
            html.Ul([html.Li(dcc.Link(words, href=to)) for to, words in others]),
        ],
        className="panel front-way",
    )

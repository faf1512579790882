"""The network that cheats: hide the tag of a film, and its answer flips; hide the nodule, and nothing happens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dash import Dash, html

from backends import catalog
from backends.jobs.engine import Engine
from viz.components.inputs import example_image
from viz.pages.gallery.exhibit import Change, Exhibit

MODEL = "bundled/radiograph-shortcut"
EXAMPLE = "A nodule and a tag"
"""The film that the network answers rightly, for the wrong reason."""
RIM = 20
"""What is hidden around a thing, in thousandths of the film."""
PARTS = {"tag": "tag", "lesion": "nodule"}
"""What can be hidden, by the name of its mask, and what it is called."""


def exhibit() -> Exhibit | None:
    """The film as it can be played with; None where this Vitrine does not ship the model or the film."""
    examples = catalog.card(MODEL).get("examples", [])
    number = next((i for i, e in enumerate(examples) if e["name"] == EXAMPLE), None)
    if number is None:
        return None
    return Exhibit(
        name="film",
        model=MODEL,
        example=number,
        changes=tuple(_change(mask, examples[number]["truth"][mask]) for mask in PARTS),
        replacement="surroundings",
        waiting="Asking the network …",
        invitation="Is it right for the right reason? Hide a part of the film, and see.",
    )


def _change(mask: str, file: str) -> Change:
    word = PARTS[mask]
    return Change(
        name=mask,
        verb=f"Hide the {word}",
        edit=box_around(catalog.shipped(MODEL) / file),
        done=f"Without the {word}",
        read=f"the {word}",
        unread=f"it does not need the {word}",
    )


@cache
def box_around(mask: Path) -> tuple[int, int, int, int]:
    """The box around a mask with its `RIM`: top, left, bottom, right in thousandths of the image."""
    from PIL import Image

    with Image.open(mask) as image:
        left, top, right, bottom = image.getbbox() or (0, 0, *image.size)
        wide, high = image.size
    edges = (1000 * top / high - RIM, 1000 * left / wide - RIM, 1000 * bottom / high + RIM, 1000 * right / wide + RIM)
    rounded = [min(max(round(edge), 0), 1000) for edge in edges]
    return rounded[0], rounded[1], rounded[2], rounded[3]


def parts(shown: Exhibit) -> html.Section:
    """The film with what can be hidden in it, the answer's bars, and the sentence."""
    buttons = [
        html.Button(change.verb, id=shown.id(change.name), type="button", className="exhibit-change",
                    **{"aria-pressed": "false"})
        for change in shown.changes
    ]  # fmt: skip
    spots = [
        html.Div(id=shown.id(f"{change.name}-spot"), className="film-spot", title=change.verb, style=_place(change))
        for change in shown.changes
    ]
    picture = html.Img(src=example_image(shown.card, shown.example), alt=EXAMPLE, width=64, height=64)
    return html.Section(
        [
            html.Div([picture, html.Div(draw(shown, []), id=shown.id("input")), *spots], className="film-picture"),
            html.Div(
                [
                    html.H2("A network reads a film: is there a nodule?"),
                    shown.bars(),
                    html.Div(buttons, className="exhibit-changes"),
                    shown.said(),
                    html.P(
                        [
                            "What is hidden becomes what is around it; an upright mark is the answer before. ",
                            shown.further(),
                            " of this network.",
                        ],
                        className="hint exhibit-more",
                    ),
                    *shown.stores(),
                ],
                className="exhibit-side",
            ),
        ],
        className="panel exhibit exhibit-film",
        **{"aria-label": "A network that cheats"},
    )  # fmt: skip


def draw(shown: Exhibit, made: Sequence[str], last: str = "") -> list[Any]:
    """What lies over the film: a cover on each part that is hidden, an outline and a name on the others."""
    return [
        html.Div(
            None if c.name in made else html.Span(PARTS[c.name]),
            className="film-part hidden-part" if c.name in made else "film-part",
            style=_place(c),
        )
        for c in shown.changes
    ]


def _place(change: Change) -> dict[str, str]:
    top, left, bottom, right = (edge / 10 for edge in change.edit)
    return {
        "top": f"{top:.1f}%",
        "left": f"{left:.1f}%",
        "height": f"{bottom - top:.1f}%",
        "width": f"{right - left:.1f}%",
    }


def register(app: Dash, engine: Engine) -> None:
    """Connect the film to its network."""
    shown = exhibit()
    if shown is not None:
        shown.register(app, engine, lambda made, last: draw(shown, made, last))

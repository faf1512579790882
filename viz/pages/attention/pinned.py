"""Heads that stay in sight: maps of up to six, side by side, on one scale, with one cursor over all of them.

Pinned heads are named as the grid names them, “2.3” or “2.mean”, so that a link and another text mean the same heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from backends.jobs.engine import Engine
from backends.results import Result
from viz.components import links
from viz.components.heat_canvas import heat_canvas, map_url, spec, value_url
from viz.components.heat_canvas import register as register_canvas
from viz.pages.attention import heads
from viz.pages.attention.attention_link import placed

MOST = 6
PINS, BUTTON = "attention-pins", "attention-pin"
SLOT = "attention-pinned-{}"
LONG = "The maps of a text this long are not kept whole, so its heads cannot be pinned side by side."


def button() -> html.Button:
    """Keeps the head that is looked at in sight, or lets it go."""
    return html.Button("Pin this head", id=BUTTON, type="button", className="btn btn-sm btn-outline-primary")


def parts(link: Mapping[str, Any]) -> html.Section:
    """The pinned heads as the link left them."""
    slots = [
        html.Figure(
            [
                html.Figcaption(
                    [
                        html.Span(id=f"{SLOT.format(i)}-name"),
                        html.Button("Let go", id=f"{SLOT.format(i)}-gone", type="button", className="export"),
                    ]
                ),
                heat_canvas(SLOT.format(i), f"Pinned head {i + 1}"),
            ],
            id=f"{SLOT.format(i)}-slot", className="d-none",
        )
        for i in range(MOST)
    ]  # fmt: skip
    return html.Section(
        [
            dcc.Store(id=PINS, data=linked(link)),
            html.H2("Pinned heads"),
            html.P(id="attention-pinned-words", className="hint", role="status"),
            html.Div(slots, className="pinned"),
        ],
        id="attention-pinned", className="d-none", **{"aria-label": "Pinned heads"},
    )  # fmt: skip


def linked(link: Mapping[str, Any]) -> list[str]:
    """The heads that a link pins, at most `MOST`; whether a model has them is seen when its grid is there."""
    return list(dict.fromkeys(name for name in links.values(link, "pins", MOST) if "." in name and len(name) < 20))


def register(app: Dash, engine: Engine) -> None:
    """Connect the button, the slots and the maps."""
    for i in range(MOST):
        register_canvas(app, SLOT.format(i))

    @app.callback(
        Output(PINS, "data"),
        Input(BUTTON, "n_clicks"),
        *[Input(f"{SLOT.format(i)}-gone", "n_clicks") for i in range(MOST)],
        State(PINS, "data"),
        State("attention-pick", "data"),
        State("attention-grid-data", "data"),
        prevent_initial_call=True,
    )
    def pin(_clicks: int | None, *rest: Any) -> Any:
        pins, pick, data = rest[-3:]
        if ctx.triggered_id == BUTTON:
            return toggled(pins or [], named(data, pick))
        slot = int(str(ctx.triggered_id).removeprefix(SLOT.format("")).removesuffix("-gone"))
        there = shown_of(pins or [], data)
        return [name for name in pins or [] if name not in there[slot : slot + 1]]

    outputs = [
        Output(f"{SLOT.format(i)}{end}", prop)
        for i in range(MOST)
        for end, prop in (("-slot", "className"), ("-name", "children"), ("-spec", "data"))
    ]

    @app.callback(
        Output("attention-pinned", "className"),
        Output("attention-pinned-words", "children"),
        Output(BUTTON, "children"),
        *outputs,
        Input(PINS, "data"),
        Input("attention-grid-data", "data"),
        Input("attention-pick", "data"),
        Input("attention-sink", "value"),
        prevent_initial_call=True,
    )
    def draw(pins: Any, data: Any, pick: Any, sink: bool | None) -> Any:
        if not data:
            return no_update
        there = shown_of(pins or [], data)
        words = "Let this head go" if named(data, pick) in there else "Pin this head"
        if not pins or not data["whole"]:
            said = LONG if pins else ""
            return "panel" if said else "d-none", said, words, *(["d-none", "", None] * MOST)
        result = engine.store.get_result(data["key"])
        most = highest(result, [p for name in there if (p := _at(name, data))], bool(sink))
        return "panel", told(pins, there, most), words, *slots(result, data, there, bool(sink))


def toggled(pins: Sequence[str], name: str) -> list[str]:
    """The pins with one more, or with one less where it was there; beyond `MOST` the first makes room."""
    if not name:
        return list(pins)
    return [p for p in pins if p != name] if name in pins else [*pins, name][-MOST:]


def named(data: Any, pick: Any) -> str:
    """The picked head as the grid names it; "" where none is picked."""
    place = placed(data, pick) if data else None
    return (
        f"{data['layers'][place[0]]}.{heads.MEAN if place[1] == heads.MEAN else data['heads'][place[1]]}"
        if place
        else ""
    )


def shown_of(pins: Sequence[str], data: Any) -> list[str]:
    """The pinned heads that this model has."""
    return [name for name in pins if data and _at(name, data) is not None]


def _at(name: str, data: Mapping[str, Any]) -> tuple[int, int | str] | None:
    layer, _, head = name.partition(".")
    if layer not in data["layers"] or head not in (*data["heads"], heads.MEAN):
        return None
    return list(data["layers"]).index(layer), head if head == heads.MEAN else list(data["heads"]).index(head)


def highest(result: Result, places: Sequence[tuple[int, int | str]], sink: bool) -> float:
    """The largest weight of the heads at (layer, head), without the first key where it is hidden."""
    pattern = result.arrays["pattern"]
    maps = [pattern[layer].mean(0) if head == heads.MEAN else pattern[layer, int(head)] for layer, head in places]
    return max((float(np.max(m[:, 1:] if sink and m.shape[1] > 1 else m)) for m in maps), default=1.0) or 1.0


def told(pins: Sequence[str], there: Sequence[str], most: float) -> str:
    """What the scale is, and which of the pinned heads this model does not have."""
    gone = [name for name in pins if name not in there]
    missing = f" This model has no head {', '.join(gone)}." if gone else ""
    return f"One scale for all: dark is 0, the brightest {most:.2f} (probability). The cursor is linked.{missing}"


def slots(result: Result, data: Mapping[str, Any], there: Sequence[str], sink: bool) -> list[Any]:
    """Class, name and spec of every slot."""
    places = [_at(name, data) for name in there]
    most = highest(result, [p for p in places if p], sink)
    made: list[Any] = []
    for i in range(MOST):
        place = places[i] if i < len(places) else None
        if place is None:
            made += ["d-none", "", None]
            continue
        name = f"Layer {data['layers'][place[0]]}, mean" if place[1] == heads.MEAN else f"Head {there[i]}"
        drawn = spec(
            SLOT.format(i), f"{name}: how much each token (down) looks at each token (across)",
            map_url(data["key"], "pattern", place, sqrt=True, sink=not sink), quantity="attention weight",
            value=value_url(data["key"], "pattern", place) if place[1] != heads.MEAN else None,
            titles=["", ""], scale=(0.0, most), height=260, group="attention-pinned", bar=False,
            controls=(),
        )  # fmt: skip
        made += ["pinned-head", name, drawn]
    return made

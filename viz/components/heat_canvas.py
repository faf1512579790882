"""The canvas heat map as a Dash part: large maps, grids of small maps, and maps over an image.

A page puts `heat_canvas(id, label)` into its layout and calls `register(app, id)` once. It draws by writing a
`spec(...)` into the store `<id>-spec`; None clears it. A cell that the person picks arrives in the store
`<id>-cell` as `{"row", "column", "index", "row_label", "column_label"}`. Opacity, cut-off, colours, zoom and the
read-out happen in the browser (assets/heat.js); what the person set there stays when another spec comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import ClientsideFunction, Dash, Input, State, dcc, html

from backends.errors import Refused

CONTROLS = ("opacity", "threshold", "colours", "stretch", "mode", "outline", "full", "save")
"""What the person may change; each is shown only where it means something."""
STRETCHES = ("linear", "sqrt", "log")
"""How colours follow values: a logarithmic scale begins at the hundredth part of its end, on both sides of zero."""
MODES = ("over", "beside", "map")
"""Where a map of an image lies: over it, beside it at the same size, or alone."""


def heat_canvas(id: str, label: str) -> html.Div:
    """The place of one heat map with its two stores; `label` says to a screen reader what it shows."""
    return html.Div(
        [
            html.Div(id=id, className="heat", role="group", **{"aria-label": label}),
            dcc.Store(id=f"{id}-spec"),
            dcc.Store(id=f"{id}-cell"),
        ],
        className="heat-holder",
    )


def register(app: Dash, id: str) -> None:
    """Draw the heat map `id` whenever its spec changes."""
    draw = ClientsideFunction(namespace="vitrine", function_name="draw_heat")
    app.clientside_callback(draw, Input(f"{id}-spec", "data"), State(id, "id"))


def spec(
    id: str,
    label: str,
    map: str | None = None,
    *,
    quantity: str = "value",
    value: str | None = None,
    image: str | None = None,
    outline: str | None = None,
    grid: Sequence[int] | None = None,
    titles: Sequence[str] | None = None,
    title: str | None = None,
    note: str = "",
    scale: Sequence[float] | None = None,
    select: bool = False,
    selected: Sequence[int] | None = None,
    hints: Mapping[str, str] | None = None,
    lattice: bool = False,
    first: int = 0,
    colours: str | None = None,
    stretch: str = "linear",
    opacity: float | None = None,
    threshold: float | None = None,
    mode: str | None = None,
    controls: Sequence[str] = CONTROLS,
    group: str | None = None,
    bar: bool = True,
    height: int = 560,
    tiles: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the canvas `id` shows, for its store.

    `map` is the address of a map (`map_url`) or sprite (`sprite_url`), `quantity` what its colour bar is called,
    `value` where the exact number of a cell is (`value_url`). `image` lies beneath, `outline` is the address of a
    mask whose border is drawn. `grid` (rows, columns) makes patches of an image selectable without a map, and `first`
    is added to the index of a picked one. `select` lets the person pick a cell, `selected` is the one picked,
    `hints` are lines for the hover by `"row,column"`. `scale` fixes the colours' ends, `group` makes several
    maps share their settings and zoom. `mode` is "over" the image, "beside" it at the same size, or the "map" alone.
    `tiles` makes it a window on a map too large to send (assets/heat_tiles.js): `names` and `address` of its tiles,
    `shape` (rows, columns), `most_rows` in a window, whether `map` is `whole`, the `window` to begin with
    ({"rows", "keys"}), and the store to `tell` where the person looks.
    """
    if map is None and image is None:
        raise Refused("a heat map needs the address of a map, of an image, or of both")
    given = {
        **{"label": label, "title": title or label},
        "map": map,
        "quantity": quantity,
        "value": value,
        "image": image,
        "outline": outline,
        "grid": list(grid) if grid else None,
        "titles": list(titles) if titles else None,
        "note": note,
        "scale": [float(s) for s in scale] if scale else None,
        "emit": f"{id}-cell" if select else None,
        "selected": list(selected) if selected else None,
        "hints": dict(hints) if hints else None,
        "lattice": lattice,
        "first": first,
        "colours": colours,
        "stretch": stretch,
        "opacity": opacity,
        "threshold": threshold,
        "mode": mode,
        "controls": known_controls(controls),
        "group": group,
        "bar": bar,
        "height": height,
        "tiles": dict(tiles) if tiles else None,
    }
    return {name: entry for name, entry in given.items() if entry is not None}


def known_controls(controls: Sequence[str]) -> list[str]:
    """The controls, all of which there are. Raises `Refused`."""
    unknown = [c for c in controls if c not in CONTROLS]
    if unknown:
        raise Refused(f"no control {unknown[0]!r} of the heat map; there are: {', '.join(CONTROLS)}")
    return list(controls)


def map_url(
    key: str, array: str, at: Sequence[int | str] = (), *, size: int = 512, sqrt: bool = False, sink: bool = True,
    grid: bool = False,
) -> str:  # fmt: skip
    """The address of one map: `at` is a number, `"*"` or `"mean"` for each leading axis.

    `sink=False` blanks the first key, `grid` lays a row of patches out as the image, `sqrt` keeps small values apart.
    """
    asked = {"at": _at(at), "size": size, "sqrt": int(sqrt), "sink": int(sink), "grid": int(grid)}
    usual = {"at": "", "size": 512, "sqrt": 0, "sink": 1, "grid": 0}
    query = "&".join(f"{n}={v}" for n, v in asked.items() if v != usual[n])
    return f"/maps/{key}/{array}" + (f"?{query}" if query else "")


def sprite_url(key: str, array: str, *, cell: int = 48, sqrt: bool = True, sink: bool = True) -> str:
    """The address of every small map of an array (layer, head, row, column) in one answer."""
    return f"/maps/{key}/{array}/sprite?cell={cell}&sqrt={int(sqrt)}&sink={int(sink)}"


def value_url(key: str, array: str, at: Sequence[int | str] = (), places: str = "{row},{column}") -> str:
    """Where the browser asks for a cell's exact number; `{index}` in `places` is the patch's token."""
    return f"/maps/{key}/{array}/value?at=" + ",".join(p for p in (_at(at), places) if p)


def image_url(key: str) -> str:
    """The address of the image that the model saw."""
    return f"/maps/{key}/image"


def _at(at: Sequence[int | str]) -> str:
    return ",".join(str(a) for a in at)

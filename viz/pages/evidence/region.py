"""Where a map should lie: what is known of an example, a rectangle drawn on the picture, or words named by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update

from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components import attribution_summary, inputs, links, workbench
from viz.components.inputs import PageInput
from viz.components.labelled_select import labelled_select
from viz.pages.evidence.receipt_options import part

SPANS, OWN, NONE = "spans", "own", "none"
EDGES = {"left": 30, "top": 30, "width": 40, "height": 40}
"""Of the rectangle, in per cent of the picture, with where it begins."""


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The picker of a region, and the places to draw or name one."""
    wanted = links.text(link, "region", most=40)
    kept = [{"label": wanted, "value": wanted}] if wanted else []
    box = _box(links.values(link, "box", 4))
    numbers = [
        html.Div(
            [
                html.Label(f"{edge.capitalize()} (%)", htmlFor=part(f"box-{edge}"), className="form-label"),
                dbc.Input(id=part(f"box-{edge}"), type="number", min=0, max=100, step=1, value=value, debounce=True,
                          size="sm"),
            ]
        )
        for edge, value in zip(EDGES, box, strict=True)
    ]  # fmt: skip
    drawing = html.Div(
        [
            html.Div(id=part("region-image"), className="region-image"),
            html.Div(id=part("region-box"), className="region-box"),
        ],
        id=part("region-picture"),
        className="region-picture",
    )
    return [
        html.Div(
            [labelled_select(part("region"), "Compare with", kept, wanted),
             html.Div(id=part("region-said"), className="hint")],
            id=part("region-area"), className="d-none",
        ),
        html.Div(
            [
                drawing,
                html.Div([html.P("Drag a rectangle over the picture, or type its edges.", className="hint"),
                          html.Div(numbers, className="region-numbers")]),
            ],
            id=part("region-draw"), className="d-none",
        ),
        html.Div(
            [
                html.Label("Words that should decide, with commas between them", htmlFor=part("region-words"),
                           className="form-label"),
                dbc.Input(id=part("region-words"), value=links.text(link, "words", most=200), debounce=True, size="sm",
                          maxlength=200, placeholder="chest pain, breath"),
            ],
            id=part("region-name"), className="d-none",
        ),
    ]  # fmt: skip


def _box(given: list[str]) -> list[int]:
    """The rectangle of a link, else the usual one."""
    try:
        found = [int(v) for v in given]
    except ValueError:
        found = []
    return found if len(found) == 4 and all(0 <= v <= 100 for v in found) else list(EDGES.values())


def register(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Offer what is known of the input, and keep the region that is meant in `evidence-region-of`."""

    @app.callback(
        Output(part("region"), "options"),
        Output(part("region"), "value"),
        Output(part("region-area"), "className"),
        Input(bench.card, "data"),
        Input(bench.input, "data"),
        State(part("region"), "value"),
        prevent_initial_call=True,
    )
    def offer(card: Card | None, given: PageInput | None, wanted: Any) -> Any:
        if given is None or not workbench.fits(card, given):
            return no_update, no_update, "d-none"
        there = choices(card, given)
        kept = wanted if wanted in there else next(iter(there))
        return [{"label": words, "value": name} for name, words in there.items()], kept, "view-row region-row"

    edges = [Input(part(f"box-{edge}"), "value") for edge in EDGES]

    @app.callback(
        Output(part("region-of"), "data"),
        Output(part("region-draw"), "className"),
        Output(part("region-name"), "className"),
        Output(part("region-said"), "children"),
        Input(part("region"), "value"),
        *edges,
        Input(part("region-words"), "value"),
        Input(bench.card, "data"),
        Input(bench.input, "data"),
        prevent_initial_call=True,
    )
    def mean(
        choice: Any,
        left: Any,
        top: Any,
        width: Any,
        height: Any,
        words: Any,
        card: Card | None,
        given: PageInput | None,
    ) -> Any:
        if given is None or not workbench.fits(card, given):
            return None, "d-none", "d-none", ""
        own, picture = choice == OWN, "pixels" in card["offers"]
        found = region_of(card, given, choice, [left, top, width, height], words)
        drawn = "region-draw" if own and picture else "d-none"
        return found, drawn, "region-name" if own and not picture else "d-none", said(found, choice)

    app.clientside_callback(ClientsideFunction("evidence", "box"), Output(part("region-box"), "style"), *edges)


def choices(card: Card, given: PageInput) -> dict[str, str]:
    """What the maps can be compared with: what is known of the input first, if anything is."""
    example = inputs.example_of(card, given)
    found = {mask: f"the {mask}" for mask in attribution_summary.masks(example)}
    if example.get("truth", {}).get("spans"):
        found[SPANS] = "the words that decide"
    own = {OWN: "a region that I draw" if "pixels" in card["offers"] else "words that I name"}
    none = {NONE: "nothing"}
    return {**found, **own, **none} if found else {**none, **own}


def region_of(card: Card, given: PageInput, choice: Any, box: list[Any], words: Any) -> dict[str, Any] | None:
    """The region as the job `together` takes it; None where there is none."""
    if choice == OWN and "pixels" in card["offers"]:
        left, top, width, height = (v if isinstance(v, (int, float)) and 0 <= v <= 100 else 0 for v in box)
        edges = [left, top, min(left + width, 100), min(top + height, 100)]
        return {"box": [edge / 100 for edge in edges]} if width and height else None
    if choice == OWN:
        named = [w.strip() for w in str(words or "").split(",") if w.strip()]
        return {"words": named[:20]} if named else None
    if choice in choices(card, given) and choice != NONE:
        known = {"model": card["name"], "example": given["example"]}
        return known if choice == SPANS else {**known, "mask": choice}
    return None


def said(found: Mapping[str, Any] | None, choice: Any) -> str:
    """What the numbers of a region are."""
    if choice == OWN and not found:
        return "Nothing is drawn or named yet."
    if not found:
        return ""
    return (
        "Mass: the share of what speaks for the answer that lies inside. Overlap and brightest: of as many brightest "
        "places as the region has. In brackets what moved copies of the map reach; faded: no better than those."
    )


def link_of(card: Card, given: PageInput, choice: Any, box: list[Any], words: Any) -> dict[str, str]:
    """What the link carries: only what differs from the usual."""
    first = next(iter(choices(card, given)), "")
    params = {"region": choice if choice and choice != first else ""}
    if choice == OWN and "pixels" in card["offers"]:
        params["box"] = ",".join(str(int(v)) if isinstance(v, (int, float)) else "0" for v in box)
    elif choice == OWN:
        params["words"] = str(words or "")
    return params

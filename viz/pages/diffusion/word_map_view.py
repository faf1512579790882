"""What a drawing's words did, beside its picture: tables of places and overlaps, small multiples, and the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import html

from backends.results import Result
from viz import theme
from viz.components import heat_canvas, links
from viz.figures import word_maps
from viz.figures.word_maps import Part
from viz.pages.diffusion.prompt_form import PAGE, part

SHOWS = {"heat": "the whole map", "above": "what is above the threshold", "mask": "a mask", "none": "the picture only"}
SCALES = {"common": "one for all words", "own": "each word its own"}
MEASURES = {"iou": "overlap (IoU)", "directed": "share of the row's mask in the column's"}
CONTROLS = (
    "show",
    "opacity",
    "threshold",
    "rule",
    "colours",
    "scale",
    "smooth",
    "grey",
    "outline",
    "part",
    "first",
    "last",
)
VIEW = ("words", *CONTROLS)
"""What of the view lives in the browser, and in the link."""
SMALL = ("step", "layer")


def controls(link: Mapping[str, Any]) -> list[Any]:
    """How the maps are shown; all of it happens in the browser (assets/diffusion.js)."""

    def select(name: str, label: str, choices: Mapping[str, str]) -> html.Label:
        value = links.choice(link, name, tuple(choices), next(iter(choices)))
        options = [{"label": words, "value": value} for value, words in choices.items()]
        field = dbc.Select(id=part(name), options=options, value=value, size="sm")
        return html.Label([html.Span(label), field], className="heat-field", htmlFor=part(name))

    def tick(name: str, label: str, value: bool) -> html.Div:
        on = value if name not in link else link.get(name) == "1"
        return html.Div(dbc.Checkbox(id=part(name), label=label, value=on), className="heat-field")

    colours = {name: name for name in theme.UNSIGNED}
    return [
        html.Div(
            [
                select("show", "Show", SHOWS),
                slider("opacity", "Opacity", links.share(link.get("opacity"), 0.85), 0, 1, 0.01),
                html.Div(
                    [
                        slider(
                            "threshold",
                            "Threshold",
                            links.share(link.get("threshold"), word_maps.THRESHOLD),
                            0,
                            1,
                            0.01,
                        ),
                        select("rule", "of", word_maps.RULES),
                    ],
                    className="heat-field heat-pair",
                ),
                select("colours", "Colours", colours),
                select("scale", "Scale", SCALES),
                tick("smooth", "Smooth (bicubic, between the places)", False),
                tick("grey", "Picture in grey beneath a map", True),
                html.Div(tick("outline", "Outline what was drawn", True), id=part("outline-area"), className="d-none"),
            ],
            className="heat-bar",
        ),
        html.Div(
            [
                select("part", "Look at", word_maps.PARTS),
                slider("first", "from step", links.number(link, "first", 1, 1, 500), 1, 500, 1, "steps"),
                slider("last", "to step", links.number(link, "last", 500, 1, 500), 1, 500, 1, "steps"),
                slider("layer", "Layer", links.number(link, "first", 1, 1, 9999), 1, 500, 1, "layer"),
                slider("head", "Head", links.number(link, "first", 1, 1, 9999), 1, 9999, 1, "head"),
            ],
            className="heat-bar",
        ),
    ]


def slider(name: str, label: str, value: float, low: float, high: float, step: float, of: str = "") -> html.Div:
    """A slider with its value beside it; `of` is the part that it belongs to."""
    field = dbc.Input(id=part(name), type="range", min=low, max=high, step=step, value=value, class_name="form-range")
    label_ = html.Label(label, htmlFor=part(name))
    said = html.Span(id=part(f"{name}-said"), className="slider-said")
    return html.Div([label_, field, said], className=f"heat-field of-{of}" if of else "heat-field", hidden=bool(of))


def panel(name: str, key: str, result: Result) -> dict[str, Any]:
    """What the browser needs to know of one picture."""
    facts = result.facts
    height, width = result.arrays["image"].shape[:2]
    return {
        "name": name,
        "key": key,
        "title": f"“{facts['text']}”, seed {facts['seed']}",
        "words": list(result.labels["word"]),
        "ids": word_maps.known(result.labels["word"]),
        "content": word_maps.content(result.labels["word"]),
        "size": [height, width],
        "stages": word_maps.stages(result),
        "truth": any(mask is not None for mask in word_maps.truth(result).values()),
        "parts": {kind: list(result.labels.get(kind.removesuffix("s"), ())) for kind in word_maps.kinds(result)},
    }


def small_multiples(id: str, key: str, result: Result, axis: str, high: float) -> dict[str, Any] | None:
    """The spec of a grid of every word's map by `axis`; all on one scale from 0 to `high`."""
    array = f"by_{axis}"
    if array not in result.arrays:
        return None
    rows, columns = result.arrays[array].shape[2:]
    return heat_canvas.spec(
        id,
        f"Each word's map by {axis}: “{result.facts['text']}”, seed {result.facts['seed']}",
        heat_canvas.sprite_url(key, array, cell=64, sqrt=False),
        quantity=f"a {axis}'s map",
        titles=["word", "denoising step" if axis == "step" else "layer"],
        note=f"maps of {rows} × {columns} places, all on one scale; pick one to see it over the picture",
        scale=[0.0, high],
        select=True,
        controls=("colours", "stretch", "save"),
        group=part(f"by-{axis}"),
        height=640,
    )


def highest(results: Sequence[Result], axis: str) -> float:
    """The largest value of the small maps of all pictures."""
    return max((float(r.arrays[f"by_{axis}"].max()) for r in results if f"by_{axis}" in r.arrays), default=1.0) or 1.0


def maps_and_masks(result: Result, settled: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The words' maps of the part that is looked at, at the picture's size, and their masks at the threshold."""
    kind = Part(str(settled["part"]), int(settled["first"]), int(settled["last"]))
    found = word_maps.maps_of(result, kind)
    height, width = result.arrays["image"].shape[:2]
    large = word_maps.enlarged(found, height, width, smooth=bool(settled["smooth"]))
    return large, word_maps.masks(large, float(settled["threshold"]), str(settled["rule"]))


def words_table(result: Result, large: np.ndarray, found: np.ndarray) -> html.Div:
    """For each word how strongly and where it landed, and how well that agrees with what was drawn, where known."""
    true = word_maps.truth(result)
    head = ["Word", f"Largest ({result.unit})", "Its mask lies", "Mask's share of the picture"]
    head += ["IoU with its thing"] if true else []
    rows = []
    for at, word in enumerate(result.labels["word"]):
        cells = [f"{large[at].max():.3g}", word_maps.place(found[at]), f"{found[at].mean():.0%}"]
        cells += [_agreement(found[at], true, at)] if true else []
        rows.append(html.Tr([html.Th(word, scope="row"), *map(html.Td, cells)]))
    caption = f"Where each word of “{result.facts['text']}” landed (seed {result.facts['seed']})"
    return _table(caption, head, rows)


def _agreement(mask: np.ndarray, true: Mapping[int, np.ndarray | None], at: int) -> str:
    if at not in true:
        return "–"
    there = true[at]
    return "its thing was not drawn" if there is None else f"{word_maps.agreement(mask, there):.2f}"


def overlap_table(result: Result, found: np.ndarray, measure: str) -> html.Div:
    """Word × word overlap of the masks; pairs that belong together are framed."""
    words = result.labels["word"]
    iou, directed = word_maps.overlaps(found)
    values = directed if measure == "directed" else iou
    together = {(d, h): relation for d, h, relation in word_maps.pairs(words)}
    together |= {(h, d): relation for (d, h), relation in together.items()}
    rows = [
        html.Tr([html.Th(word, scope="row"), *[_cell(values[i, j], words, i, j, together) for j in range(len(words))]])
        for i, word in enumerate(words)
    ]
    what = "Overlap of two words' masks" if measure == "iou" else "Share of the row's mask that lies in the column's"
    return _table(f"{what}: “{result.facts['text']}”, seed {result.facts['seed']}", ["", *words], rows, "overlap")


def _cell(value: float, words: Sequence[str], i: int, j: int, together: Mapping[tuple[int, int], str]) -> html.Td:
    relation = together.get((i, j), "")
    told = f"{words[i]} and {words[j]}" + (f", {relation}" if relation else "")
    if np.isnan(value):
        return html.Td("–", title=f"{told}: a mask is empty", className="pair" if relation else "")
    colour = theme.value_colours(np.array([value]), 0, 1, "viridis")[0]
    style = {"backgroundColor": colour, "color": theme.ink(theme_hex(colour))}
    return html.Td(f"{value:.2f}", title=f"{told}: {value:.3f}", style=style, className="pair" if relation else "")


def theme_hex(colour: str) -> str:
    """`rgb(…)` as `#rrggbb`."""
    if colour.startswith("#"):
        return colour
    numbers = [int(float(n)) for n in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return "#" + "".join(f"{n:02x}" for n in numbers)


def pair_list(result: Result, found: np.ndarray) -> html.Div:
    """The pairs that belong together, with DAAM's three overlaps."""
    words = result.labels["word"]
    iou, directed = word_maps.overlaps(found)
    rows = []
    for dependent, head, relation in word_maps.pairs(words):
        numbers = [iou[dependent, head], directed[dependent, head], directed[head, dependent]]
        cells = ["–" if np.isnan(n) else f"{n:.2f}" for n in numbers]
        rows.append(
            html.Tr(
                [html.Th(f"{words[dependent]} → {words[head]}", scope="row"), html.Td(relation), *map(html.Td, cells)]
            )
        )
    if not rows:
        return html.Div("No two words of this prompt belong together by the rule.", className="hint")
    head_row = ["Dependent → head", "Relation", "IoU", "Of the dependent, in the head", "Of the head, in the dependent"]
    return _table(f"Words that belong together in “{result.facts['text']}”", head_row, rows)


def _table(caption: str, head: Sequence[str], rows: Sequence[Any], kind: str = "") -> html.Div:
    columns = html.Tr([html.Th(h, scope="col") if h else html.Td() for h in head])
    table = html.Table(
        [html.Caption(caption), html.Thead(columns), html.Tbody(list(rows))], className="landed-table " + kind
    )
    return html.Div(table, className="landed-scroll", tabIndex="0", role="region", **{"aria-label": caption})


def rule_words(settled: Mapping[str, Any]) -> str:
    """How the masks of the tables came about."""
    how = "enlarged bicubically, as DAAM does" if settled.get("smooth") else "each place as it is (not smoothed)"
    return (
        f"A mask is where a word's map is above {float(settled['threshold']):.0%} of "
        f"{word_maps.RULES[str(settled['rule'])]}; maps {how}. The threshold stands above the picture."
    )


def heat_ids() -> list[str]:
    """The ids of the small multiples' canvases."""
    return [f"{PAGE}-by-{axis}-{name}" for axis in SMALL for name in ("a", "b")]

"""What a model and its runs take, in words and as a table: made of the documents of the `forecast` job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from dash import html

from backends.models.card import Card
from backends.requests import Forecast
from viz.components.inputs import PageInput

KEEPS = 300
"""Seconds for which a forecast is not asked for again: what is free changes."""
GIB = 2**30
NAMES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16", "8bit": "8 bits"}


def model_request(name: str, revision: str = "", open: bool = False) -> dict[str, Any]:
    """The job that says what the model called `name` takes, whether it is open or not.

    Once it is `open`, more is known of it, so that is asked for under another key.
    """
    return Forecast(model=name, revision=revision, when=_now(), open=open).plain()


def _now() -> int:
    """The number of the stretch of time for which a forecast counts."""
    return int(time.time() / KEEPS)


def run_request(
    card: Card, given: PageInput, methods: Mapping[str, Mapping[str, Any]], target: Any = None
) -> dict[str, Any]:
    """The job that says what each of `methods` (name: options) takes for an input of an open model."""
    asked = {name: dict(options) for name, options in methods.items()}
    return Forecast(
        model=card["name"], revision=card["revision"], when=_now(), input=given["digest"], methods=asked, target=target
    ).plain()


def words(run: Mapping[str, Any], long: float = 3.0) -> str:
    """`about 12 s and 1.4 GB` of a run that is long or takes a notable share of what is free; else nothing."""
    if run["seconds"] < long and run["bytes"] < run["free"] / 10:
        return ""
    most = f" (at most {duration(run['most_seconds'])})" if run["most_seconds"] > 1.5 * run["seconds"] else ""
    return f"about {duration(run['seconds'])}{most} and {size(run['bytes'])}"


def hint(runs: Mapping[str, Mapping[str, Any]]) -> html.Div:
    """The runs that are long or large, each with its figures; empty where none is."""
    told = {method: words(run) for method, run in runs.items()}
    lines = [html.Div(f"{method.replace('_', ' ')}: {said}") for method, said in told.items() if said]
    return html.Div(lines, className="hint forecast-hint")


def duration(seconds: float) -> str:
    """A time as a person reads it."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """A number of bytes as a person reads it."""
    if count >= GIB:
        return f"{count / GIB:.1f} GB"
    return f"{count / 2**20:.0f} MB" if count >= 10 * 2**20 else f"{max(count, 1024) / 2**20:.2g} MB"


def weights_table(found: Mapping[str, Any]) -> html.Table:
    """The bytes of the weights by dtype, and whether the device has room for them; the open one is marked."""
    own = "8bit" if str(found["name"]).endswith("load=8bit") else found["dtype"]
    rows = [
        _row(
            [
                NAMES[dtype] + (" (as asked)" if dtype == own and not found["measured"] else ""),
                size(need),
                _room(found, dtype, own),
            ]
        )
        for dtype, need in found["weights"].items()
    ]
    about = f"Memory of the weights; {size(found['free'])} free on {found['device']}"
    return _table(about, ["weights in", "memory", f"on {found['device']}"], rows)


def _room(found: Mapping[str, Any], dtype: str, own: str) -> Any:
    if dtype == own and found["measured"]:
        return html.Span("open now", className="mark-good")
    if found["fits"][dtype]:
        return html.Span("fits", className="mark-good")
    return html.Span("does not fit", className="mark-bad")


def lengths_table(found: Mapping[str, Any]) -> html.Table:
    """Memory beside the weights and seconds of one forward by length, as numbers and as bars."""
    seconds, sizes = found["seconds"], found["bytes"]
    whole = max(seconds), max(sizes)
    rows = []
    for length, took, need in zip(found["lengths"], seconds, sizes, strict=True):
        name = f"{length:,}".replace(",", " ") if length else "one picture"
        gradient = [duration(took * found["gradient"])] if "gradient" in found else []
        rows.append(_row([name, _bar(size(need), need, whole[1]), _bar(duration(took), took, whole[0]), *gradient]))
    heads = ["tokens" if found["lengths"][0] else "input", "memory beside the weights", "one forward"]
    heads += ["one gradient"] if "gradient" in found else []
    return _table("What one forward takes, by the length of the input", heads, rows)


def _bar(words: str, value: float, most: float) -> html.Div:
    share = 100 * value / most if most else 0
    return html.Div([html.Span(words), html.I(style={"width": f"{share:.1f}%"})], className="model-bar")


def _row(cells: list[Any]) -> html.Tr:
    return html.Tr([html.Th(cells[0], scope="row"), *[html.Td(cell) for cell in cells[1:]]])


def _table(caption: str, heads: list[str], rows: list[html.Tr]) -> html.Table:
    told = html.Caption(caption, className="visually-hidden")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in heads]))
    return html.Table([told, head, html.Tbody(rows)], className="table table-sm model-table")


def origin(found: Mapping[str, Any]) -> str:
    """How the figures came about."""
    tail = "Memory and operations are found by running the network's own code on tensors without contents"
    if found["measured"]:
        return f"{tail}; seconds are these operations at the speed of a short forward of this model, measured here."
    return f"{tail}; seconds are roughly these operations at the speed of a matrix product on this machine."

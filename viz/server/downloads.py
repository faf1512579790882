"""A result to take away: CSV, JSON, safetensors, and one page of it as SVG or HTML, which ask for no network."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.requests import receipt_key
from backends.results import GROUPINGS
from viz import theme
from viz.components import heat_canvas, links
from viz.report import case, page, sheet
from viz.server.maps import Keeper, Missing, Recent, attach, refusal

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.results import Result

MOST_ROWS = 2_000_000
"""The most numbers that are written as text; larger arrays are cut with `at`, or taken as safetensors."""
_AT = re.compile(r"\d{1,7}(?:,\d{1,7}){0,7}")
_RANGE = re.compile(r"(-?[\d.e+-]{1,24}),(-?[\d.e+-]{1,24})")
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")


def blueprint(store: Keeper) -> Blueprint:
    """The routes `/results/<key>/csv`, `json`, `safetensors` and `html` over `store`."""
    from flask import Blueprint, Response, request

    routes = Blueprint("export", __name__)
    result_of = Recent(store.get_result)
    routes.register_error_handler(Refused, refusal)
    writers: dict[str, tuple[Any, str]] = {
        "csv": (lambda r, asked: csv(r, asked.get("array"), asked.get("at", "")), "text/csv"),
        "json": (lambda r, asked: as_json(r), "application/json"),
        "safetensors": (lambda r, asked: safetensors(r), "application/octet-stream"),
        "html": (lambda r, asked: page.html(_case(r, asked)), "text/html"),
        "svg": (lambda r, asked: sheet.draw(_case(r, asked), frame_of(asked)), "image/svg+xml"),
    }

    def _case(result: Result, asked: Mapping[str, str]) -> case.Case:
        return case.make(result, store, request.url_root, view_of(asked))

    @routes.get("/results/<key>/<kind>")
    def download(key: str, kind: str) -> Response:
        if kind not in writers:
            raise Missing(f"no download {kind[:20]!r}; there are: {', '.join(writers)}")
        write, mimetype = writers[kind]
        result = tested(store, key, result_of(key))
        content = write(result, request.args)
        answer = Response(content, mimetype=mimetype)
        stem = re.sub(r"[^a-z0-9_]+", "-", result.method.lower())[:60] or "result"
        answer.headers["Content-Security-Policy"] = f"{page.POLICY}; sandbox"
        lasting = "no-cache" if TESTED & set(result.arrays) or kind in DATED else "max-age=31536000, immutable"
        answer.headers["Cache-Control"] = f"private, {lasting}"  # a map may get another receipt
        return attach(answer, stem, key, kind)

    return routes


DATED = ("html", "svg")
"""Downloads that have the day on which they were taken."""
TESTED = {"attribution", "heat", "effect"}
"""Arrays that a receipt can be of."""


def tested(store: Keeper, key: str, result: Result) -> Result:
    """The result with its last receipt among its facts, where one is kept."""
    if not TESTED & set(result.arrays):
        return result
    try:
        return dataclasses.replace(result, facts={**result.facts, "receipt": store.get_document(receipt_key(key))})
    except Refused:
        return result


def csv(result: Result, array: str | None = None, at: str = "") -> Iterator[str]:
    """One array, one line a number: the place on each axis, its label where it has one, and the value with its unit.

    `at` keeps the given places of the leading axes. A label that a spreadsheet would take for a formula gets a `'`
    before it.
    """
    name = array or result.main
    if name not in result.arrays:
        raise Missing(f"no array {name[:40]!r} in this result; there are: {', '.join(result.arrays)}")
    values, axes = result.arrays[name], result.axes[name]
    fixed = _places(at, values.shape, axes, name)
    values = values[fixed]
    if values.size > MOST_ROWS:
        raise Refused(
            f"{name} has {values.size:,} numbers and a CSV holds at most {MOST_ROWS:,}: take one part, such as "
            f"at={','.join('0' * (len(axes) - 2))} ({', '.join(axes[:-2])}), or all of it as safetensors"
        )
    return _lines(result, name, values, fixed)


def _lines(result: Result, name: str, values: np.ndarray, fixed: tuple[int, ...]) -> Iterator[str]:
    axes = result.axes[name]
    labels = [result.labels.get(axis) for axis in axes]
    unit = f" ({result.unit})" if name == result.main and result.unit else ""
    head = [h for axis, names in zip(axes, labels, strict=True) for h in ([axis, f"{axis} label"] if names else [axis])]
    yield ",".join(cell(h) for h in [*head, name + unit]) + "\r\n"
    shown = [[cell(x) for x in names] if names else None for names in labels]
    rows = []
    for place, value in zip(np.ndindex(values.shape), values.ravel().tolist(), strict=True):
        parts = []
        for index, names in zip((*fixed, *place), shown, strict=True):
            parts += [str(index), names[index]] if names else [str(index)]
        rows.append(",".join([*parts, _number(value, values.dtype)]) + "\r\n")
        if len(rows) >= 2000:
            yield "".join(rows)
            rows = []
    yield "".join(rows)


def table_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Rows as CSV, with a mark for spreadsheets; a text that they would take for a formula gets a `'` before it."""
    yield "\ufeff" + ",".join(columns) + "\r\n"
    for row in rows:
        yield ",".join(_table_cell(row.get(name)) for name in columns) + "\r\n"


def _table_cell(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value) if isinstance(value, int) else cell(value)


def cell(text: object) -> str:
    """A text as a CSV cell that no spreadsheet takes for a formula."""
    word = str(text).replace("\x00", "")
    if word.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"):
        word = "'" + word
    return '"' + word.replace('"', '""') + '"' if re.search(r'[",\r\n\t]|^\s|\s$', word) else word


def _number(value: float, dtype: np.dtype) -> str:
    return str(np.float32(value)) if dtype == np.float32 else str(value)


def _places(at: str, shape: tuple[int, ...], axes: tuple[str, ...], name: str) -> tuple[int, ...]:
    if not at:
        return ()
    if not _AT.fullmatch(at) or at.count(",") + 1 >= len(axes):
        raise Refused(
            f"at={at[:40]!r} is not a part of {name}: write numbers for some of {', '.join(axes[:-1])}, such as at=0"
        )
    places = tuple(int(p) for p in at.split(","))
    for place, size, axis in zip(places, shape, axes, strict=False):
        if place >= size:
            raise Missing(f"{axis} {place} is not there: {name} has {size}, counted from 0")
    return places


def about(result: Result) -> dict[str, Any]:
    """Everything of a result but its numbers, as plain JSON values."""
    return {
        "method": result.method,
        "unit": result.unit,
        "signed": result.signed,
        "target": result.target,
        "axes": {name: list(axes) for name, axes in result.axes.items()},
        "labels": {axis: list(names) for axis, names in result.labels.items()},
        "facts": dict(result.facts),
        "request": dict(result.request),
    }


def as_json(result: Result) -> str:
    """The whole result as JSON, its arrays as nested lists. Raises `Refused` when that would be too long."""
    count = sum(a.size for a in result.arrays.values())
    if count > MOST_ROWS:
        raise Refused(
            f"this result has {count:,} numbers and a JSON file holds at most {MOST_ROWS:,}: take it as safetensors"
        )
    arrays = {name: _nested(array) for name, array in result.arrays.items()}
    return json.dumps(_finite(about(result)) | {"arrays": arrays}, ensure_ascii=False, allow_nan=False)


def _nested(array: np.ndarray) -> Any:
    """Nested lists; float32 with as many digits as it has, NaN as null."""
    if array.dtype.kind != "f":
        return array.tolist()
    return _finite(np.array([float(str(v)) for v in array.ravel()], object).reshape(array.shape).tolist())


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def safetensors(result: Result) -> bytes:
    """The arrays as one safetensors file; its metadata's `vitrine` holds the rest as JSON."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(a) for name, a in result.arrays.items()}
    return save(arrays, metadata={"vitrine": json.dumps(about(result) | {"order": list(arrays)}, ensure_ascii=False)})


def html(result: Result) -> str:
    """One page with the result's map, its answer, its receipt and where it comes from; it asks for nothing."""
    return page.html(case.make(result))


def view_of(asked: Mapping[str, str]) -> case.View:
    """How a map was shown, out of a query: `by`, `scale` (low,high), `opacity`, `threshold`, `colours`, `mask`.

    Raises `Refused` on a scale that is none; what else cannot be read is as usual.
    """
    scale = None
    if asked.get("scale"):
        found = _RANGE.fullmatch(asked["scale"])
        try:
            scale = (float(found[1]), float(found[2])) if found else None
        except ValueError:
            scale = None
        if scale is None or not all(map(math.isfinite, scale)) or scale[0] >= scale[1]:
            raise Refused(f"scale={asked['scale'][:40]!r} is no scale: write its two ends, such as scale=-1,1")
    colours = asked.get("colours")
    return case.View(
        by=links.choice(asked, "by", GROUPINGS, "word"),
        scale=scale,
        opacity=links.share(asked.get("opacity"), 0.7),
        threshold=links.share(asked.get("threshold"), 0.0),
        colours=colours if colours in (*theme.UNSIGNED, *theme.SIGNED) else None,
        stretch=links.choice(asked, "stretch", heat_canvas.STRETCHES, "linear"),
        mask=asked.get("mask"),
        part=tuple((name, asked[name][:20]) for name in ("layer", "head") if name in asked),
    )


def frame_of(asked: Mapping[str, str]) -> tuple[float, float] | None:
    """The size of the picture that the browser puts in, out of `frame=WIDTHxHEIGHT`; None for the map itself."""
    if "frame" not in asked:
        return None
    found = _SIZE.fullmatch(asked["frame"])
    if not found or not int(found[1]) * int(found[2]):
        raise Refused(f"frame={asked['frame'][:20]!r} is no size: write pixels, such as frame=640x480")
    return float(found[1]), float(found[2])

"""Maps for the canvas, and the pictures beneath them: small binary answers that never change.

A map is `<header length, 4 bytes little-endian><header, JSON><values, uint8, row by row>`; the header is padded
with spaces to a multiple of four. It says how values were quantised, so that the browser can recolour, cut off
and read out without asking again: `symmetric` v = (q − 127.5) / 127.5 · vmax, `linear`
v = vmin + q / 255 · (vmax − vmin), `sqrt` v = vmin + (q / 255)² · (vmax − vmin). Exact floats come from the
`value` route.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from backends.errors import Refused
from backends.requests import is_key
from viz import theme
from viz.figures import head_grid
from viz.figures.image_heat import png
from viz.figures.scale import limits
from viz.figures.token_heat import pool

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.results import Result

LARGEST = 2048
SPRITE_BYTES = 2**20
KEPT_BYTES = 256 * 2**20
MOST_LABELS = 16384
_AT = re.compile(r"(?:\*|mean|\d{1,7})(?:,(?:\*|mean|\d{1,7})){0,7}")
_FOREVER = "private, max-age=31536000, immutable"


class Keeper(Protocol):
    """What the routes need of `backends.store.Store`."""

    def get_result(self, key: str) -> Result: ...

    def get_input(self, digest: str) -> Mapping[str, Any]: ...

    def get_document(self, key: str) -> Mapping[str, Any]: ...


class Missing(Refused):
    """There is no such thing here: the answer is 404 rather than 400."""


class Slice(NamedTuple):
    """Two axes of a result's array: values (row, column), the axes' names and their labels (None: numbers)."""

    values: np.ndarray
    axes: tuple[str, str]
    labels: tuple[tuple[str, ...] | None, tuple[str, ...] | None]
    unit: str
    signed: bool


class Recent:
    """The results that were looked at last, up to some bytes, so that each hover does not read the disk."""

    def __init__(self, get: Callable[[str], Result], limit: int = KEPT_BYTES) -> None:
        self._get, self._limit = get, limit
        self._kept: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: str) -> Result:
        """The result of `key`. Raises `Missing`."""
        if not is_key(key):
            raise Missing("there is no such result: a result's key is 64 characters from 0-9 and a-f")
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            result = self._get(key)
        except (Refused, KeyError, OSError) as error:
            raise Missing(str(error) if isinstance(error, Refused) else "this result is not kept here") from error
        with self._lock:
            self._kept[key] = result
            while len(self._kept) > 1 and sum(_bytes(r) for r in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)
        return result


def _bytes(result: Result) -> int:
    return sum(a.nbytes for a in result.arrays.values())


def blueprint(store: Keeper) -> Blueprint:
    """The routes `/maps/…`, `/inputs/…` and `/theme.json` over `store`."""
    from flask import Blueprint, Response, request

    routes = Blueprint("maps", __name__)
    result_of = Recent(store.get_result)
    routes.register_error_handler(Refused, refusal)

    @routes.get("/maps/<key>/image")
    def image(key: str) -> Response:
        result = result_of(key)
        if "image" not in result.arrays:
            raise Missing("this result has no image")
        return lasting(png(result.arrays["image"]), "image/png")

    @routes.get("/maps/<key>/<array>")
    def one(key: str, array: str) -> Response:
        asked = request.args
        part = cut(result_of(key), array, asked.get("at", ""), _flag(asked, "grid"))
        packed = pack(part, _number(asked, "size", 512, LARGEST), _flag(asked, "sqrt"), not _flag(asked, "sink", True))
        return lasting(packed, "application/octet-stream")

    @routes.get("/maps/<key>/<array>/sprite")
    def many(key: str, array: str) -> Response:
        cell = _number(request.args, "cell", 48, 256)
        packed = sprite(result_of(key), array, cell, _flag(request.args, "sqrt"), not _flag(request.args, "sink", True))
        return lasting(packed, "application/octet-stream")

    @routes.get("/maps/<key>/<array>/value")
    def value(key: str, array: str) -> Response:
        found, unit = exact(result_of(key), array, request.args.get("at", ""))
        return lasting(json.dumps({"value": found, "unit": unit}).encode(), "application/json")

    @routes.get("/inputs/<digest>")
    def given(digest: str) -> Response:
        if not is_key(digest):
            raise Missing("there is no such input: its digest is 64 characters from 0-9 and a-f")
        return lasting(_picture(store, digest), "image/png")

    @routes.get("/theme.json")
    def colours() -> Response:
        about = {"templates": theme.templates(), "tables": theme.tables()}
        answer = Response(json.dumps(about), mimetype="application/json")
        answer.headers["Cache-Control"] = "private, max-age=3600"
        return answer

    return routes


def refusal(error: Refused) -> Response:
    """The sentence of a refusal as plain text."""
    from flask import Response

    answer = Response(f"{error}\n", status=404 if isinstance(error, Missing) else 400, mimetype="text/plain")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def lasting(content: bytes, mimetype: str) -> Response:
    """An answer that never changes, since its address holds a digest."""
    from flask import Response

    answer = Response(content, mimetype=mimetype)
    answer.headers["Cache-Control"] = _FOREVER
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def attach(answer: Response, stem: str, key: str, kind: str) -> Response:
    """The `answer` as a file to save, named after what it is (`stem`) and the key of what it holds."""
    answer.headers["Content-Disposition"] = f'attachment; filename="vitrine-{stem}-{key[:8]}.{kind}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def cut(result: Result, array: str, at: str = "", grid: bool = False) -> Slice:
    """The part of `array` that `at` names: a number, `*` (all) or `mean` for each axis in turn, the rest whole.

    `grid` lays the patch tokens of a row out as the image's (row, column). Raises `Refused` unless two axes
    (or one) remain.
    """
    values, axes = _array(result, array)
    values, left = _pick(values, axes, at, array)
    labels: list[tuple[str, ...] | None] = [result.labels.get(axis) for axis in left]
    if grid:
        values, left, labels = _grid(result, values, left)
    if values.ndim == 1:
        values, left, labels = values[None], ["", *left], [None, *labels]
    if values.ndim != 2:
        raise Refused(
            f"{array} has axes {', '.join(axes)}; a map has two: name the others as at=0,0 (a number, * or mean each)"
        )
    noun_unit = head_grid.describe(result, array)[1]
    signed = result.signed if array == result.main else bool(values.dtype.kind in "fi" and (values < 0).any())
    kept = [x if x is not None and len(x) == n else None for x, n in zip(labels, values.shape, strict=True)]
    return Slice(np.nan_to_num(values.astype(np.float32)), (left[0], left[1]), (kept[0], kept[1]), noun_unit, signed)


def pack(part: Slice, size: int = 512, sqrt: bool = False, hide_sink: bool = False) -> bytes:
    """One map, at most `size` on a side: larger ones keep each block's entry of largest magnitude."""
    values, hidden = part.values, ""
    if hide_sink and part.axes[1] == "key" and values.shape[1] > 1:
        values = values.copy()
        values[:, 0] = 0
        hidden = "first key token"
    small, pooled = pool(values, size)
    codes, how = quantise(small, part.signed, sqrt)
    header = {
        "shape": list(small.shape),
        "full": list(values.shape),
        "pooled": list(pooled),
        "unit": part.unit,
        "axes": list(part.axes),
        "rows": _labels(part.labels[0]),
        "columns": _labels(part.labels[1]),
        "hidden": hidden,
        **how,
    }
    return message(header, codes)


def sprite(result: Result, array: str, cell: int = 48, sqrt: bool = False, hide_sink: bool = False) -> bytes:
    """Every small map of an array (layer, head, row, column) in one message, all on one scale."""
    values, axes = _array(result, array)
    if values.ndim != 4:
        raise Refused(f"{array} has axes {', '.join(axes)}; a sprite shows four: layer, head, row and column")
    rows, columns = values.shape[:2]
    cell = max(1, min(cell, int((SPRITE_BYTES / (rows * columns)) ** 0.5)))
    values = np.nan_to_num(np.asarray(values, np.float32))
    hidden = ""
    if hide_sink and values.shape[3] > 1:
        values = values.copy()
        values[..., 0] = 0
        hidden = "first key token" if "key" in axes else "first column of each map"
    small = np.stack([[pool(one, cell)[0] for one in line] for line in values])
    signed = result.signed if array == result.main else bool((values < 0).any())
    codes, how = quantise(small, signed, sqrt)
    header = {
        "shape": list(small.shape),
        "full": list(values.shape),
        "unit": head_grid.describe(result, array)[1] or result.unit,
        "axes": list(axes),
        "rows": _labels(result.labels.get(axes[0])),
        "columns": _labels(result.labels.get(axes[1])),
        "hidden": hidden,
        **how,
    }
    return message(header, codes)


def quantise(values: np.ndarray, signed: bool, sqrt: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
    """`values` as uint8, and how to read them: `quantisation`, `vmin`, `vmax`, `signed`."""
    low, high = limits(values, signed)
    if signed:
        codes, how = 127.5 + 127.5 * (values / high), "symmetric"
    elif sqrt:
        codes, how = 255 * np.sqrt(np.clip((values - low) / (high - low), 0, 1)), "sqrt"
    else:
        codes, how = 255 * (values - low) / (high - low), "linear"
    about = {"quantisation": how, "vmin": low, "vmax": high, "signed": signed}
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8), about


def exact(result: Result, array: str, at: str) -> tuple[float, str]:
    """One number of `array`, unrounded, and its unit. Raises `Refused` when `at` does not name one."""
    values, axes = _array(result, array)
    found, left = _pick(values, axes, at, array)
    if left:
        raise Refused(f"one number of {array} is named by {len(axes)} places: at=" + ",".join(f"<{a}>" for a in axes))
    return float(found), head_grid.describe(result, array)[1]


def _array(result: Result, array: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if array not in result.arrays:
        raise Missing(f"no array {array[:40]!r} in this result; there are: {', '.join(result.arrays)}")
    return result.arrays[array], tuple(result.axes[array])


def _pick(values: np.ndarray, axes: tuple[str, ...], at: str, array: str) -> tuple[np.ndarray, list[str]]:
    """`values` at the places in `at`, and the axes that are left."""
    if not at:
        return values, list(axes)
    if not _AT.fullmatch(at):
        raise Refused(f"at={at[:40]!r} is not a place: write a number, * or mean for each axis, such as at=3,5")
    parts = at.split(",")
    if len(parts) > len(axes):
        raise Refused(f"at={at[:40]!r} names {len(parts)} places but {array} has {len(axes)} axes: {', '.join(axes)}")
    left = [axis for axis, part in zip(axes, parts, strict=False) if part == "*"] + list(axes[len(parts) :])
    for place in reversed(range(len(parts))):
        part, size = parts[place], values.shape[place]
        if part == "mean":
            values = values.mean(axis=place, dtype=np.float32)
        elif part != "*":
            if int(part) >= size:
                raise Missing(f"{axes[place]} {int(part)} is not there: {array} has {size}, counted from 0")
            values = values[(slice(None),) * place + (int(part),)]
    return values, left


def _grid(
    result: Result, values: np.ndarray, axes: list[str]
) -> tuple[np.ndarray, list[str], list[tuple[str, ...] | None]]:
    """A row of tokens as the image's patches (row, column); the tokens before the first patch are left out."""
    shape, first = result.facts.get("grid"), int(result.facts.get("first_patch", 0))
    if not shape or values.ndim != 1 or values.shape[0] < first + shape[0] * shape[1]:
        raise Refused("grid=1 lays out one row of image patches; this is none: name a layer, a head and a query in at=")
    patches = values[first : first + shape[0] * shape[1]].reshape(shape)
    return patches, ["patch row", "patch column"], [None, None]


def _labels(labels: tuple[str, ...] | None) -> list[str] | None:
    return list(labels) if labels and len(labels) <= MOST_LABELS else None


def message(header: Mapping[str, Any], codes: np.ndarray) -> bytes:
    """A map as the browser reads it."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + np.ascontiguousarray(codes).tobytes()


def _picture(store: Keeper, digest: str) -> bytes:
    from backends.inputs.images import open_image
    from backends.inputs.turns import READING

    try:
        raw = store.get_input(digest)
    except (Refused, KeyError, OSError) as error:
        raise Missing(str(error) if isinstance(error, Refused) else "this input is not kept here") from error
    if "image" not in raw:
        raise Missing("this input has no image")
    with READING.turn():
        picture = open_image(raw["image"])
        picture.thumbnail((1024, 1024))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _number(asked: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = asked.get(name, str(default))
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= most:
        raise Refused(f"{name} must be a whole number from 1 to {most}, not {text[:20]!r}")
    return int(text)


def _flag(asked: Mapping[str, str], name: str, default: bool = False) -> bool:
    text = asked.get(name, "1" if default else "0")
    if text not in ("0", "1"):
        raise Refused(f"{name} must be 0 or 1, not {text[:20]!r}")
    return text == "1"

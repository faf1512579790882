"""A result to take away: CSV, JSON, safetensors, and one HTML file that opens with no server and no network."""

from __future__ import annotations

import dataclasses
import html as markup
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.requests import receipt_key
from viz import figures, theme
from viz.figures import token_strip
from viz.figures.words import visible
from viz.server.maps import Keeper, Missing, Recent, attach, refusal

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.results import Result

MOST_ROWS = 2_000_000
"""The most numbers that are written as text; larger arrays are cut with `at`, or taken as safetensors."""
_AT = re.compile(r"\d{1,7}(?:,\d{1,7}){0,7}")
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


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
        "html": (lambda r, asked: html(r, **{n: asked[n] for n in ("layer", "head") if n in asked}), "text/html"),
    }

    @routes.get("/results/<key>/<kind>")
    def download(key: str, kind: str) -> Response:
        if kind not in writers:
            raise Missing(f"no download {kind[:20]!r}; there are: {', '.join(writers)}")
        write, mimetype = writers[kind]
        result = tested(store, key, result_of(key))
        content = write(result, request.args)
        answer = Response(content, mimetype=mimetype)
        stem = re.sub(r"[^a-z0-9_]+", "-", result.method.lower())[:60] or "result"
        answer.headers["Content-Security-Policy"] = f"{_POLICY}; sandbox"
        lasting = "no-cache" if TESTED & set(result.arrays) else "max-age=31536000, immutable"
        answer.headers["Cache-Control"] = f"private, {lasting}"  # a map may get another receipt
        return attach(answer, stem, key, kind)

    return routes


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


def html(result: Result, **view: Any) -> str:
    """One page with the result's pictures, its facts and where it comes from; it asks for nothing over the network.

    `view` goes to the first picture. plotly.js is inside, so the file has about 5 MB.
    """
    import plotly.io as pio
    from plotly.offline import get_plotlyjs

    names = figures.available(result)
    drawn = [figures.draw(result, name, **(view if i == 0 else {})) for i, name in enumerate(names)]
    divs = [
        pio.to_html(
            figure, full_html=False, include_plotlyjs=False, config=theme.config(f"vitrine-{name}"), div_id=name
        )
        for name, figure in zip(names, drawn, strict=True)
    ]
    title = markup.escape(
        f"{_words(result.method)}: {visible(result.target, 80)}" if result.target else _words(result.method)
    )
    body = "".join(
        f'<figure aria-label="{markup.escape(_words(n))}">{div}</figure>' for n, div in zip(names, divs, strict=True)
    )
    return _PAGE.format(
        policy=_POLICY,
        title=title,
        style=_style(),
        scale=markup.escape(_scale_sentence(result)),
        text=_text(result),
        plotly=get_plotlyjs().replace("</script", "<\\/script") if drawn else "",
        figures=body or "<p>There is no picture for this result; its numbers are in the other downloads.</p>",
        facts=_receipt(result.facts.get("receipt")) + _table("What was measured", _facts(result)),
        request=_table("Where it comes from", _origin(result)),
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Vitrine</title><style>{style}</style></head>
<body><main><h1>{title}</h1><p class="scale">{scale}</p>{text}
<script>{plotly}</script>
{figures}
{facts}{request}
<footer>Made with Vitrine. This file is complete: it needs no server and no network.</footer></main></body></html>
"""


def _style() -> str:
    c = theme.LIGHT
    return (
        f"body{{margin:0;background:{c['page']};color:{c['ink']};font:15px/1.5 {theme.FONT}}}"
        "main{max-width:1080px;margin:0 auto;padding:24px}h1{font-size:22px}h2{font-size:16px}"
        f"figure{{margin:16px 0;background:{c['surface']};border:1px solid {c['line']};"
        "border-radius:8px;overflow:hidden}"
        f".scale,footer{{color:{c['muted']}}}table{{border-collapse:collapse}}"
        f"th,td{{text-align:left;vertical-align:top;padding:4px 16px 4px 0;border-bottom:1px solid {c['line']};"
        "font-weight:400;overflow-wrap:anywhere}"
        f"th{{color:{c['muted']}}}.text{{background:#fff;padding:16px;border:1px solid {c['line']};border-radius:8px;"
        "font-size:17px;line-height:2;white-space:pre-wrap}.text span{border-radius:3px;padding:2px 1px}"
    )


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _scale_sentence(result: Result) -> str:
    main = result.arrays[result.main]
    finite = main[np.isfinite(main)] if main.dtype.kind == "f" else main
    ends = f"from {float(finite.min()):.4g} to {float(finite.max()):.4g}" if finite.size else "empty"
    sign = "Signed" if result.signed else "Unsigned"
    if result.signed and result.main == "attribution":
        sign += ": red speaks for the target, blue against it, white is zero"
    return f"{_words(result.main)} in {result.unit or 'no unit'}, {ends}. {sign}. Nothing was normalised."


def _text(result: Result) -> str:
    if not token_strip.accepts(result):
        return ""
    spans = []
    for piece, value, colour in token_strip.token_colours(result):
        if value is None:
            spans.append(markup.escape(piece))
        else:
            tip = f"{value:.4f} {result.unit}".strip()
            style = f"background:{colour};color:{theme.ink(colour)}"
            spans.append(f'<span style="{style}" title="{markup.escape(tip)}">{markup.escape(piece)}</span>')
    return f'<p class="text">{"".join(spans)}</p>'


def _facts(result: Result) -> dict[str, Any]:
    hidden = ("strings", "text", "receipt")
    return {name: value for name, value in result.facts.items() if name not in hidden}


def _receipt(found: Mapping[str, Any] | None, title: str = "Should you believe this map?") -> str:
    """The receipt as a table, called as on the page; of a drawing one for each word that was tested."""
    from viz.components import receipt

    if not found:
        return ""
    if "words" in found:
        each = found["words"].values()
        return "".join(_receipt(one, f"“{one['facts']['target']}”: should you believe this map?") for one in each)
    rows = {
        receipt.titled(line)[0]: f"{line['verdict'].capitalize()}. {receipt.ruled(line['sentence'])}"
        for line in found["lines"]
    }
    made = {name: found["facts"].get(name) for name in ("replacement", "samples", "seed")}
    made["replacement"] = receipt.WORDS.get(str(made["replacement"]), made["replacement"])
    return _table(title, {"verdict": receipt.ruling(found), **rows, **made})


def _origin(result: Result) -> dict[str, Any]:
    shape = {
        name: f"{' × '.join(axes)} = {' × '.join(map(str, result.arrays[name].shape))}"
        for name, axes in result.axes.items()
    }
    return {"method": result.method, "target": result.target or "none", **result.request, "arrays": shape}


def _table(heading: str, rows: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    lines = (
        f"<tr><th scope=row>{markup.escape(_words(str(k)))}</th><td>{_value(v)}</td></tr>" for k, v in rows.items()
    )
    return f"<h2>{markup.escape(heading)}</h2><table>{''.join(lines)}</table>"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{markup.escape(str(k))}: {_value(v)}" for k, v in list(value.items())[:40])
    if isinstance(value, (list, tuple)):
        if any(isinstance(v, (Mapping, list, tuple)) for v in value):
            return "<br>".join(_value(v) for v in list(value)[:20])
        return markup.escape(", ".join(map(_short, value[:40])) + (" …" if len(value) > 40 else ""))
    return markup.escape(_short(value))


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)[:400]

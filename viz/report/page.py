"""A case as one HTML file that opens with no server and no network, reads well aloud, and prints on any paper.

The verdict stands above everything that it judges. The map is drawn as text or SVG: no script is inside.
"""

from __future__ import annotations

import html as markup
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.results import Result
from viz import theme
from viz.components import receipt
from viz.components.attribution_summary import number
from viz.figures.scale import limits
from viz.figures.token_strip import token_colours
from viz.figures.words import percent, visible
from viz.report import drawn_map, plotted, sheet, svg
from viz.report.case import LIMITED, Badge, Case

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The file obeys no script, whoever wrote the text that is in it."""
HIDDEN_FACTS = ("strings", "text", "receipt", "prediction", "prompt", "grouped_by")
MOST = 400
"""Pieces of a text that are shown coloured; a longer one says how many more there are."""


def html(case: Case) -> str:
    """The case as a page."""
    title = f"{case.question} {case.method}"
    parts = [_head(case), _badges(case), _input(case), _map(case), _caption(case), _receipts(case), _more(case)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{markup.escape(title)} · Vitrine</title><style>{style()}</style></head>"
        f"<body><main>{''.join(parts)}{_foot(case)}</main></body></html>\n"
    )


def style() -> str:
    """The looks of the page, on a screen and on paper."""
    c = theme.LIGHT
    verdicts = "".join(
        f".{slug}{{background:{sheet.PAPER[slug]};border-color:{colour}}}.{slug} b{{color:{colour}}}"
        for slug, colour in sheet.EDGES.items()
    )
    return (
        f"body{{margin:0;background:#fff;color:{c['ink']};font:15px/1.5 {svg.FONT}}}"
        "main{max-width:860px;margin:0 auto;padding:20px 24px}h1{font-size:24px;line-height:1.25;margin:0}"
        f"h2{{font-size:15px;margin:18px 0 6px}}.by,.note,footer{{color:{c['muted']}}}.by{{margin:2px 0 10px}}"
        ".badge{border:1px solid;border-left-width:6px;border-radius:6px;padding:8px 16px;margin:0 0 8px}"
        f".badge b{{font-size:18px;display:block}}{verdicts}.none{{background:{c['raised']};border-color:{c['edge']}}}"
        ".answers{display:grid;grid-template-columns:minmax(5em,auto) 1fr auto;gap:4px 10px;margin:0;"
        "align-items:center}"
        ".answers dt,.answers dd{margin:0}.answers .chosen{font-weight:600}"
        f".bar{{background:{c['raised']};height:13px}}.bar i{{display:block;height:13px;background:{c['accent']}}}"
        f".text{{border:1px solid {c['line']};border-radius:8px;padding:12px 14px;font-size:17px;line-height:2;"
        "white-space:pre-wrap;overflow-wrap:anywhere;margin:0}"
        ".text span{border-radius:3px;padding:2px 1px;box-shadow:0 0 0 1px rgba(0,0,0,.08)}"
        f".text u{{text-decoration:underline 3px {drawn_map.TRUTH};text-underline-offset:5px}}"
        "figure{margin:0}svg{max-width:100%;height:auto;display:block}"
        ".scale{display:flex;flex-wrap:wrap;gap:4px 8px;align-items:center;font-size:13px;margin:8px 0 0}"
        f".scale img{{width:150px;height:13px;border:1px solid {c['edge']}}}.scale p{{flex-basis:100%;margin:0}}"
        "table{border-collapse:collapse;font-size:13px}td,th{text-align:left;vertical-align:top;font-weight:400;"
        f"padding:3px 14px 3px 0;border-bottom:1px solid {c['line']};overflow-wrap:anywhere}}"
        f"th{{min-width:9em;color:{c['muted']}}}"
        f".warning{{color:{c['bad']};font-weight:600;margin:0}}footer{{border-top:1px solid {c['line']};"
        "margin-top:16px;padding-top:8px;font-size:13px;overflow-wrap:anywhere}footer p{margin:0 0 2px}"
        "@page{margin:14mm}"
        "@media print{main{max-width:none;padding:0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
        ".badge,figure,.text,tr,footer{break-inside:avoid}h2{break-after:avoid}details{display:none}}"
        "@media print and (orientation:landscape){.wide{display:grid;grid-template-columns:1fr 1fr;gap:0 8mm}"
        "svg{max-height:120mm}}"
    )


def _head(case: Case) -> str:
    about = sheet.about(case)
    return f'<header><h1>{markup.escape(case.question)}</h1><p class="by">{markup.escape(about)}</p></header>'


def _badges(case: Case) -> str:
    if not case.badges:
        told = "No receipt is kept with this map: nothing here says whether to believe it."
        return f'<p class="badge none">{told}</p>' if drawn_map.accepts(case.result) else ""
    return "".join(map(_badge, case.badges))


def _badge(badge: Badge) -> str:
    word = f'<b><span aria-hidden="true">{badge.mark}</span> {markup.escape(badge.word)}</b>'
    return f'<p class="badge {badge.slug}">{word}{markup.escape(badge.sentence)}</p>'


def _input(case: Case) -> str:
    """What was given, unless the map shows it, and what the model answered."""
    parts = []
    texts = drawn_map.accepts(case.result) and case.result.arrays["attribution"].ndim == 1
    if case.text and not texts:
        parts.append(f'<section><h2>Input</h2><p class="text">{markup.escape(case.text[:6000])}</p></section>')
    if case.answers:
        rows = "".join(_answer(label, p, label == case.target) for label, p in case.answers)
        parts.append(f'<section><h2>Answer of the model</h2><dl class="answers">{rows}</dl></section>')
    return f'<div class="wide">{"".join(parts)}</div>' if parts else ""


def _answer(label: str, probability: float, chosen: bool) -> str:
    name = ' class="chosen"' if chosen else ""
    bar = f'<div class="bar"><i style="width:{100 * min(max(probability, 0), 1):.1f}%"></i></div>'
    return f"<dt{name}>{markup.escape(visible(label, 60))}</dt><dd>{bar}</dd><dd{name}>{percent(probability)}</dd>"


def _map(case: Case) -> str:
    result = case.result
    if result.axes.get("attribution") == ("token",):
        return f"<figure><h2>Map</h2>{_text_map(case)}{_legend(case)}</figure>"
    if drawn_map.accepts(result):
        drawing = drawn_map.image_map(case, 812)
        return f"<figure>{svg.document(drawing, sheet.alternative(case))}{_legend(case)}</figure>"
    if drawn_map.places_words(result):
        return f"<figure>{svg.document(drawn_map.word_maps(result, 812), sheet.alternative(case))}</figure>"
    drawn = plotted.of_result(result, dict(case.view.part))
    if not drawn:
        return "<p>There is no picture for this result; its numbers are in the other downloads.</p>"
    return "".join(f"<figure>{svg.document(d, f'{case.question} {case.method}')}</figure>" for d in drawn)


def _text_map(case: Case) -> str:
    """The text with its colours; values are read on hover, the truth is underlined."""
    result, spans = case.result, []
    pieces = token_colours(result, case.view.scale)
    text, at = str(result.facts.get("text") or ""), 0
    for piece, value, colour in pieces[:MOST]:
        covers = len(piece) if piece and text.startswith(piece, at) else 0
        true = any(a < at + covers and at < b for a, b, _ in case.spans)
        told = f"<u>{markup.escape(piece)}</u>" if true else markup.escape(piece)
        at += covers
        if value is None:
            spans.append(told)
            continue
        tip = markup.escape(f"{number(value, result.signed)} {result.unit}".strip())
        look = f"background:{colour};color:{theme.ink(colour)}"
        spans.append(f'<span style="{look}" title="{tip}">{told}</span>')
    more = len(pieces) - MOST
    rest = f'<br><span class="note">… and {more} more pieces</span>' if more > 0 else ""
    return f'<p class="text" dir="auto">{"".join(spans)}{rest}</p>'


def _legend(case: Case) -> str:
    result = case.result
    low, high = case.view.scale or limits(result.arrays["attribution"], result.signed)
    table = theme.table(theme.colour_map(result.signed))
    stops = ",".join(theme.css(table[i]) for i in range(0, 256, 15))
    bar = f'<i style="width:150px;height:13px;background:linear-gradient(90deg,{stops});border:1px solid #7b8696"></i>'
    told = "; ".join(t for t in (drawn_map.meaning(result), drawn_map.outlined(case)) if t)
    return (
        f'<div class="scale"><span>{number(low, result.signed)}</span>{bar}<span>{number(high, result.signed)} '
        f'{markup.escape(result.unit or "no unit")}</span><p class="note">{markup.escape(told[:1].upper() + told[1:])}.'
        "</p></div>"
    )


def _caption(case: Case) -> str:
    return f"<p>{markup.escape(case.caption)}</p>" if case.caption else ""


def _receipts(case: Case) -> str:
    """The lines of the receipt, called as on the page; of a drawing one table for each word that was tested."""
    found = case.result.facts.get("receipt")
    if not isinstance(found, Mapping) or not found:
        return ""
    if "words" in found:
        return "".join(
            _receipt(one, f"“{one['facts']['target']}”: how it was tested") for one in found["words"].values()
        )
    return _receipt(found, "How this map was tested")


def _receipt(found: Mapping[str, Any], title: str) -> str:
    rows = {
        receipt.titled(line)[0]: f"{line['verdict'].capitalize()}. {receipt.ruled(line['sentence'])}"
        for line in found["lines"]
    }
    made = {name: found["facts"].get(name) for name in ("replacement", "samples", "seed")}
    made["replacement"] = receipt.WORDS.get(str(made["replacement"]), made["replacement"])
    return _table(title, {**rows, **made})


def _more(case: Case) -> str:
    """Facts and the whole request, for those who want to make it again; not on paper."""
    result = case.result
    facts = {name: value for name, value in result.facts.items() if name not in HIDDEN_FACTS}
    tables = _table("What was measured", {"scale": scale_sentence(result), **facts}) + _table(
        "Where it comes from", _origin(result)
    )
    return f"<details><summary>Numbers and request</summary>{tables}</details>"


def scale_sentence(result: Result) -> str:
    """The range of the main array with its unit and sign."""
    main = result.arrays[result.main]
    finite = main[np.isfinite(main)] if main.dtype.kind == "f" else main
    ends = f"from {float(finite.min()):.4g} to {float(finite.max()):.4g}" if finite.size else "empty"
    sign = "Signed" if result.signed else "Unsigned"
    if result.signed and result.main == "attribution":
        sign += ": red speaks for the target, blue against it, zero is white"
    return f"{_words(result.main)} in {result.unit or 'no unit'}, {ends}. {sign}. Nothing was normalised."


def _origin(result: Result) -> dict[str, Any]:
    shape = {
        name: f"{' × '.join(axes)} = {' × '.join(map(str, result.arrays[name].shape))}"
        for name, axes in result.axes.items()
    }
    asked = {name: value for name, value in result.request.items() if value not in (None, "", {}, [])}
    return {"method": result.method, **asked, "arrays": shape}


def _table(heading: str, rows: Mapping[str, Any]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{markup.escape(_words(str(name)))}</th><td>{_value(value)}</td></tr>'
        for name, value in rows.items() if value not in (None, "")
    )  # fmt: skip
    return f"<section><h2>{markup.escape(heading)}</h2><table>{lines}</table></section>" if lines else ""


def _words(name: str) -> str:
    return name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:]


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


def _foot(case: Case) -> str:
    link = markup.escape(case.link)
    where = f'<p><a href="{link}">{link}</a></p>' if link else ""
    warning = f'<p class="warning">{markup.escape(case.warning)}</p>' if case.warning else ""
    origin = markup.escape(f"{case.origin or case.model} · {case.date} · made with Vitrine")
    return f"<footer>{warning}<p>{origin}</p>{where}<p>{LIMITED}</p></footer>"

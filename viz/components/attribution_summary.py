"""What an attribution says, in words and small tables: facts with their units, the strongest parts, the truth."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import html

from backends import catalog
from backends.errors import Refused
from backends.inputs.images import open_image
from backends.results import Result
from viz.figures.words import token_names, visible

MOST = 12
"""Rows of the table of strongest parts."""
SQUARES = 8
"""Squares along each side of an image, as its parts in that table."""
UNITS = {
    "logit": "logit: the model's score before it becomes a probability",
    "nat": "nat: the natural logarithm of a probability",
    "cosine": "cosine: 1 is the same direction, 0 unrelated",
    "share": "share: all parts together are 1",
    "relevance": "relevance: relative, not comparable with scores",
}
ROLES = {
    "io": "indirect object",
    "s1": "subject, first time",
    "s2": "subject, second time",
    "end": "the place of the answer",
}
NEUTRAL = {
    "blur": "the picture blurred",
    "mean": "everything replaced by its average",
    "zero": "everything set to zero",
    "mask": "words replaced by the mask token",
    "pad": "words replaced by the padding token",
}


def number(value: float, signed: bool = False) -> str:
    """A value to three digits, with its sign where values have two sides, and a true minus."""
    plain = f"{value:+.3g}" if signed and value else f"{value:.3g}"
    return plain.replace("-", "−")


def facts(result: Result) -> list[tuple[str, str]]:
    """What is to be known of the picture, as (name, words)."""
    found, said = result.facts, []
    if "output" in found:
        said.append(("Number explained", f"{number(found['output'])} ({_unit(result)})"))
    if "baseline" in found:
        start = f", where the number is {number(found['baseline_output'])}" if "baseline_output" in found else ""
        said.append(("Compared with", NEUTRAL.get(found["baseline"], str(found["baseline"])) + start))
    if (gap := found.get("completeness_gap")) is not None:
        said.append(("Completeness gap", f"{share(gap)}: the parts add up to the change but for this"))
    if "fit" in found:
        said.append(("Fit", f"{share(found['fit'])} of the answers' variation is explained by the simple rule"))
    if "layer" in found:
        said.append(("Read at layer", f"{found['layer']}" + (f" ({found['module']})" if "module" in found else "")))
    if found.get("class_agnostic"):
        said.append(("Target", "none: this picture is the same for every answer"))
    costs = [f"{found[n]} {n if found[n] != 1 else n[:-1]}" for n in ("gradients", "forwards") if found.get(n)]
    if "seconds" in found:
        costs.append(f"{number(found['seconds'])} s")
    return said + ([("Cost", ", ".join(costs))] if costs else [])


def _unit(result: Result) -> str:
    unit = result.unit.split()[0] if result.unit else "no unit"
    pair = isinstance(result.request.get("target"), (list, tuple))
    return "logit: by how much the first answer's score is above the second's" if pair else UNITS.get(unit, result.unit)


def share(value: float) -> str:
    """A share as per cent."""
    return f"{100 * value:.3g} %" if value >= 0.0005 or not value else "under 0.05 %"


def facts_list(result: Result) -> html.Dl:
    """`facts` as a list on the page."""
    return html.Dl([x for name, words in facts(result) for x in (html.Dt(name), html.Dd(words))], className="facts")


def parts(result: Result) -> list[tuple[str, float]]:
    """The parts of the input with their values: tokens or groups in order, or the squares of an image."""
    values = np.asarray(result.arrays["attribution"], np.float64)
    if values.ndim == 1:
        return [
            (visible(t, 60), float(v))
            for t, v in zip(token_names(result, len(values), ("token",)), values, strict=True)
        ]
    rows, columns = (np.linspace(0, n, min(SQUARES, n) + 1).round().astype(int) for n in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], axis=0), columns[:-1], axis=1)
    return [
        (f"rows {r0}–{r1 - 1}, columns {c0}–{c1 - 1}", float(sums[i, j]))
        for i, (r0, r1) in enumerate(itertools.pairwise(rows))
        for j, (c0, c1) in enumerate(itertools.pairwise(columns))
    ]


def strongest(result: Result, most: int = MOST) -> list[tuple[int, str, float, float]]:
    """The parts of largest magnitude: place, name, value, and share of all magnitudes."""
    found = parts(result)
    total = sum(abs(v) for _, v in found) or 1.0
    order = sorted(range(len(found)), key=lambda i: -abs(found[i][1]))[:most]
    return [(i, found[i][0], found[i][1], abs(found[i][1]) / total) for i in order]


def strongest_table(result: Result, caption: str) -> html.Table:
    """`strongest` as a table that can be sorted by any column (assets/attribution.js)."""
    image = result.arrays["attribution"].ndim == 2
    noun = "Square (pixels)" if image else str(result.facts.get("grouped_by", "token")).capitalize()
    heads = [("#", "number"), (noun, "text"), (result.unit or "value", "number"), ("share", "number")]
    head = [
        html.Th(html.Button(words, type="button", className="sorter"), scope="col", **{"data-kind": kind})
        for words, kind in heads
    ]
    rows = [
        html.Tr(
            [
                html.Td(str(place + 1), **{"data-value": str(place)}),
                html.Th(name, scope="row"),
                html.Td(number(value, result.signed), **{"data-value": repr(value)}),
                html.Td(share(part), **{"data-value": repr(part)}),
            ]
        )
        for place, name, value, part in strongest(result)
    ]
    told = html.Caption(caption, className="visually-hidden")
    return html.Table([told, html.Thead(html.Tr(head)), html.Tbody(rows)], className="table table-sm strongest")


def truth_spans(example: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """Where the words that decide stand in an example's text: from, to, what they are."""
    truth = example.get("truth", {})
    spans = [(int(a), int(b), "decides (known truth)") for a, b in truth.get("spans", [])]
    return spans + [(int(a), int(b), ROLES.get(role, role)) for role, (a, b) in truth.get("roles", {}).items()]


def _against(values: np.ndarray, inside: np.ndarray, mask: str) -> str:
    """What the picture shows strongest, where that speaks against the answer; empty where it speaks for it."""
    worst = np.unravel_index(int(values.argmin()), values.shape)
    if -values[worst] <= values.max():
        return ""
    place = "on" if inside[worst] else "outside"
    return (
        f" But the largest value of all, {values[worst]:.3g}, speaks against the answer, {place} the {mask}: "
        "what stands in for a hidden part may itself mislead the model."
    )


def masks(example: Mapping[str, Any]) -> list[str]:
    """The names of the masks of what is true of an example's image."""
    return [name for name, file in example.get("truth", {}).items() if isinstance(file, str)]


def verdict(result: Result, model: str, example: Mapping[str, Any], mask: str = "") -> str:
    """A sentence on whether the picture points at the known truth; empty where none is known."""
    values = np.asarray(result.arrays["attribution"], np.float64)
    inside = truth_mask(result, model, example, mask)
    if inside is None or not inside.any() or not values.any():
        return ""
    best = np.unravel_index(int(values.argmax()), values.shape)
    positive = np.clip(values, 0, None)
    held = (
        f"{share(positive[inside].sum() / positive.sum())} of the evidence"
        if positive.any()
        else "none of the evidence"
    )
    area = share(inside.mean())
    if values.ndim == 2:
        where = "on" if inside[best] else "outside"
        told = f"The strongest pixel for the answer lies {where} the {mask} (outlined); {held} "
        return told + f"for the answer is on it, and it covers {area} of the picture.{_against(values, inside, mask)}"
    named = "one of the words" if inside[best] else "none of the words"
    label = example.get("label", "")
    which = "underlined" + (f": they decide the true answer, {label}" if label and label != result.target else "")
    return f"The strongest part is {named} that decide ({which}); they hold {held}, and are {area} of the parts."


def truth_mask(result: Result, model: str, example: Mapping[str, Any], mask: str) -> np.ndarray | None:
    """Which values lie on the truth (an image's `mask`, a text's spans), shaped like the map; None: not known."""
    shape = result.arrays["attribution"].shape
    if len(shape) == 2:
        if mask not in masks(example):
            return None
        try:
            picture = open_image(catalog.shipped(model) / example["truth"][mask]).convert("L")
        except Refused:
            return None
        return np.asarray(picture.resize((shape[1], shape[0]))) > 127
    spans = example.get("truth", {}).get("spans", [])
    where = result.arrays.get("span")
    if not spans or where is None:
        return None
    return np.array([any(a < end and start < b for a, b in spans) for start, end in where.tolist()])


def comparable(results: Sequence[Result]) -> tuple[dict[tuple[str, bool], list[Result]], str]:
    """The results that may share a scale, by unit and sign, and a sentence where not all of them may."""
    groups: dict[tuple[str, bool], list[Result]] = {}
    for result in results:
        groups.setdefault((result.unit, result.signed), []).append(result)
    if len(groups) < 2:
        return groups, ""
    told = "; ".join(
        f"{' and '.join(r.method.replace('_', ' ') for r in some)} in {unit or 'no unit'}"
        for (unit, _), some in groups.items()
    )
    return groups, f"Not all of these can be compared by their colours, since they measure different things: {told}. "

"""Several results side by side: what they share, and what is said of all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dash import html

from backends.models.card import Card
from backends.results import Result, regroup
from viz.components import attribution_summary
from viz.components.workbench import percent
from viz.figures import comparison
from viz.figures.words import visible

KEPT = {
    "output": "It is explained by the words of the text; the answer so far stays as it is.",
    "captions": "It is explained by the picture; the captions stay as they are.",
}
"""What is explained and what is not, of models that are given two things."""


def common_sentence(chosen: Sequence[str], why: Mapping[str, str], elsewhere: Collection[str] = ()) -> str:
    """The sentence that several methods share, such as on the text or the target; empty when they differ.

    A single method's sentence stays in its card, beside the options that may mend it, unless it is told `elsewhere`.
    """
    told = {why.get(m, "") for m in chosen}
    return told.pop() if len(told) == 1 and (len(chosen) > 1 or told <= set(elsewhere)) else ""


def shared(found: Sequence[Result], by: str, same: bool) -> tuple[dict[str, tuple[float, float]], str]:
    """The colour scale of each method's picture, and a sentence on which of them can be compared."""
    drawn = [regroup(r, by) if r.arrays["attribution"].ndim == 1 else r for r in found]
    groups, note = attribution_summary.comparable(drawn)
    if not same:
        return {}, "Each picture has its own scale: colours cannot be compared between them." if len(drawn) > 1 else ""
    scales = {r.method: comparison.shared_scale(some) for some in groups.values() for r in some}
    if len(drawn) < 2:
        return scales, ""
    if note:
        return scales, note + "Those of one unit share a scale."
    return scales, f"One scale for all, in {drawn[0].unit or 'no unit'}: equal colours are equal numbers."


def headline(found: Mapping[str, Result], card: Card) -> list[Any]:
    """What the model answers, how surely, and which answer the pictures explain."""
    if not found:
        return []
    if "pair" in card["offers"]:
        return _similarity(found)
    first = next((r for r in found.values() if r.facts.get("prediction")), None)
    if first is None:
        return ["This model names no answers: what is shown here would be the same for any of them."]
    best = first.facts["prediction"][0]
    target = next((r.target for r in found.values() if r.target), "")
    said: list[Any] = [
        "The model answers ",
        html.B(visible(best["label"], 80)),
        f" ({percent(best['probability'])}).",
    ]
    said += ["  Explained here: ", html.B(visible(target, 120)), "."] if target else []
    return said + next((["  ", words] for offer, words in KEPT.items() if offer in card["offers"]), [])


def _similarity(found: Mapping[str, Result]) -> list[Any]:
    """The similarity of two sentences, and whose words explain it."""
    value = next((r.facts["output"] for r in found.values() if "output" in r.facts), None)
    if value is None:
        return []
    said = [
        "The similarity of the two sentences is ",
        html.B(attribution_summary.number(value)),
        " (cosine; 1 at most).",
    ]
    return [*said, "  Explained by the words of the first; “Swap the two” explains it by those of the second."]

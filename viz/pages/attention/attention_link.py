"""What a link to the attention page asks for, what of it is there, and a sentence where something is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.results import Result
from viz.components import links
from viz.pages.attention import attention_view as shown
from viz.pages.attention import heads

PARTS = {
    "encoder": "the encoder",
    "decoder": "the decoder",
    "cross": "the decoder, looking at the encoder",
    "image": "the picture's side",
    "text": "the text's side",
}
"""Stacks of layers in words."""


def window_in(link: Mapping[str, Any]) -> dict[str, Any] | None:
    """The window that a link asks for as rows=a-b&keys=c-d, None where it asks for none that can be."""
    found = {}
    for name in ("rows", "keys"):
        first, dash, end = links.text(link, name, most=20).partition("-")
        if not (dash and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
            return None
        found[name] = [int(first), int(end)]
    return found


def part_of(card: Any, asked: str) -> tuple[dict[str, Any], str, str]:
    """The stacks of a model that have attention, the one to show, and a sentence where the one asked for is none."""
    parts = (card or {}).get("parts") or {}
    there = {name: about for name, about in parts.items() if about["heads"] and "attention" not in about["withdrawn"]}
    if not asked or asked in there:
        return there, asked or next(iter(there), ""), ""
    first = next(iter(there), "")
    why = parts.get(asked, {}).get("withdrawn", {}).get("attention", "")
    if not there:
        return there, "", f"“{asked}” was asked for; this model is one stack of layers, and you see its attention."
    rest = f" ({why})" if why else f", which has {', '.join(there)}"
    return (
        there,
        first,
        f"“{asked}” was asked for, a part that is not to be seen in this model{rest}; you see “{first}”.",
    )


def part_options(there: Mapping[str, Any]) -> list[dict[str, str]]:
    """The stacks as the select lists them."""
    return [
        {"label": f"{PARTS.get(name, name)} ({about['layers']} layers)", "value": name} for name, about in there.items()
    ]


def sentence_of(linked: Any, part: str) -> str:
    """What is to be said of the part that the link asked for, while the one shown instead is shown."""
    linked = linked if isinstance(linked, Mapping) else {}
    return linked.get("sentence", "") if linked.get("part") == part else ""


def unknown_head(result: Result, pick: Any) -> str:
    """A sentence where the link names a layer or head that this model does not have."""
    named = (pick.get("link") or {}) if isinstance(pick, Mapping) else {}
    if not any(named.values()):
        return ""
    layers, every = result.labels["all_layer"], result.labels["all_head"]
    asked = ("layer", layers), ("head", (*every, heads.MEAN))
    wrong = [f"{noun} “{named[noun]}”" for noun, there in asked if named.get(noun) and named[noun] not in there]
    if not wrong:
        return ""
    got = picked(result, pick)
    head = "mean" if got["head"] == heads.MEAN else every[got["head"]]
    return (
        f"The link asks for {' and '.join(wrong)}, which this model does not have: layers go from {layers[0]} to "
        f"{layers[-1]}, heads from {every[0]} to {every[-1]}. You see layer {layers[got['layer']]}, head {head}."
    )


def picked(result: Result, pick: Any) -> dict[str, Any]:
    """The head to show: the one picked or named by the link where this model has it, else a striking one."""
    layers, every, model = result.labels["all_layer"], result.labels["all_head"], result.request.get("model")
    pick = pick if isinstance(pick, Mapping) else {}
    named = pick.get("link") or {}
    layer, head = named.get("layer") or layers[0], named.get("head") or every[0]
    if any(named.values()) and layer in layers and head in (*every, heads.MEAN):
        return {
            "layer": layers.index(layer),
            "head": head if head == heads.MEAN else every.index(head),
            "model": model,
        }
    whole = {"layers": layers, "heads": every, "mean": shown.whole(result) or "sampled_rows" in result.facts}
    if pick.get("model") == model and placed(whole, pick):
        return dict(pick)
    first, best = heads.striking(result)
    return {"layer": first, "head": best, "model": model}


def placed(data: Mapping[str, Any], pick: Any) -> tuple[int, int | str] | None:
    """The picked (layer, head) where the grid has it; the mean counts as a head where it is offered."""
    if not isinstance(pick, Mapping):
        return None
    layer: Any = pick.get("layer")
    head: Any = pick.get("head")
    there = type(layer) is int and 0 <= layer < len(data["layers"])
    if there and type(head) is int and 0 <= head < len(data["heads"]):
        return layer, head
    return (layer, head) if there and head == heads.MEAN and data["mean"] else None

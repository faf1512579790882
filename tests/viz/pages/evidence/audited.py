"""Answers of the evidence page's jobs as documents, small and made by hand."""

from __future__ import annotations

from typing import Any

CURVE = {
    "hidden": [0.0, 0.5, 1.0], "brightest_first": [9.0, 2.0, 0.0], "darkest_first": [9.0, 8.0, 0.0],
    "deletion": 3.25, "insertion": 6.25, "srg": 3.0,
}  # fmt: skip


def receipt(verdict: str = "holds", value: float | None = 0.9, name: str = "hiding") -> dict[str, Any]:
    """A receipt of two lines, the first of which decides."""
    line = {"name": name, "value": value, "control": [0.001, 0.5], "verdict": verdict, "about": {},
            "sentence": "Hiding the brightest 8% drops 'lesion' from 0.97 to 0.12."}  # fmt: skip
    other = {**line, "name": "stand-in", "control": None, "sentence": "Another stand-in says the same."}
    facts = {"replacement": "mask", "samples": 96, "effort": 1, "seed": 0, "forwards": 110, "seconds": 0.5}
    return {"lines": [line, other], "verdict": verdict, "rule": f"Rule because of “{name}”.", "facts": facts}


def audit(
    verdict: str = "holds", value: float | None = 0.9, name: str = "hiding", map: str = "aa" * 32
) -> dict[str, Any]:
    """The answer of the job `audit`."""
    return {
        "method": "occlusion", "withdrawn": "", "map": map, "target": "lesion", "unit": "logit", "decides": name,
        "receipt": receipt(verdict, value, name), "curves": CURVE, "orders": [CURVE, CURVE],
    }  # fmt: skip


def located(value: float = 0.6, p: float = 0.01) -> dict[str, Any]:
    """A map's numbers against a region."""
    names = ("pointing", "mass inside", "intersection over union", "rank accuracy")
    return {name: {"value": 1.0 if name == "pointing" else value, "control": [0.0, 0.2], "p": p} for name in names}


def words_of(component: Any) -> str:
    """All text below a component, as it runs on a page."""
    if isinstance(component, str):
        return component
    if isinstance(component, (list, tuple)):
        return "".join(words_of(c) for c in component)
    return words_of(getattr(component, "children", None) or "")

"""An engine that computes nothing: it remembers what was asked, and its jobs stand as a test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backends.errors import Refused
from backends.jobs.engine import State
from backends.requests import key_of
from backends.store import Store

TRIAGE: dict[str, Any] = {
    "name": "bundled/triage", "title": "Triage", "task": "text-classification", "revision": "r1",
    "family": "TextClassifier", "offers": ["answer", "attention", "classes", "gradient", "residual", "tokens"],
    "labels": ["routine", "soon", "urgent"], "limit": 48, "parameters": 120_000, "device": "cpu", "layers": 2,
    "heads": 2, "withdrawn": {}, "warnings": [], "stand_ins": ["mask", "pad"],
    "replacements": ["mask", "pad"], "summary": "Reads a note.",
    "limits": ["Synthetic; not for clinical use."], "cover": 0,
}  # fmt: skip
FILM: dict[str, Any] = {
    **TRIAGE, "name": "bundled/radiograph", "task": "image-classification", "limit": None,
    "labels": ["clear", "lesion"], "offers": ["answer", "classes", "gradient", "pixels", "channels"],
    "stand_ins": ["blur", "mean"], "replacements": ["surroundings", "blur", "mean"], "layers": 0, "heads": 0,
}  # fmt: skip
NAMES: dict[str, Any] = {
    **TRIAGE, "name": "bundled/names", "task": "causal-lm", "labels": [],
    "offers": ["answer", "tokens", "next_token", "gradient"],
}  # fmt: skip
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "bundled/triage": [
        {"name": "Denied", "input": "no fever but severe chest pain", "target": "urgent", "label": "urgent",
         "truth": {"spans": [[9, 12], [20, 30]]}, "note": "“No” belongs to the fever."},
        {"name": "All denied", "input": "denies chest pain", "target": "routine", "label": "routine", "truth": {}},
    ],
    "bundled/radiograph": [
        {"name": "A nodule", "input": "examples/nodule.png", "target": "lesion", "label": "lesion",
         "truth": {"lesion": "examples/lesion.png"}, "note": "Look at the nodule."},
    ],
    "bundled/names": [
        {"name": "Mary", "input": "When Mary and John went, John gave to", "target": ["Mary", "John"],
         "truth": {"roles": {"io": [5, 9]}}},
    ],
}  # fmt: skip


class FakeEngine:
    """Every job is `waiting` until `states[key]` says otherwise; what is in the store is done."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.states: dict[str, State] = {}
        self.asked: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.priorities: list[int] = []
        self.refusal = ""

    def submit(self, request: Any, owner: str, priority: int = 0) -> str:
        if self.refusal:
            raise Refused(self.refusal)
        self.asked.append(dict(request))
        self.priorities.append(priority)
        return key_of(request)

    def state(self, key: str) -> State:
        return State("done", 1.0) if self.store.has(key) else self.states.get(key, State("waiting"))

    def wait(self, key: str, seconds: float, owner: str | None = None) -> State:
        return self.state(key)

    def touch(self, key: str, owner: str) -> None:
        pass

    def cancel(self, key: str, owner: str) -> None:
        self.cancelled.append(key)

    def figures(self) -> dict[str, Any]:
        return {"jobs": {"waiting": len(self.asked)}, "ended": {"done": 0}, "workers": 1}

    def lack(self) -> str:
        return self.refusal

    def sweep(self) -> None:
        pass

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass


def bundle(folder: Path, monkeypatch: Any) -> Path:
    """A folder that stands for the shipped models, with the cards above and one film with its mask."""
    from backends import catalog

    cards = tuple({**c, "examples": EXAMPLES[c["name"]]} for c in (TRIAGE, FILM, NAMES))
    for card in cards:
        (folder / card["name"].removeprefix("bundled/") / "examples").mkdir(parents=True)
    pixels = np.full((64, 64), 90, np.uint8)
    pixels[20:30, 40:50] = 200
    Image.fromarray(pixels).save(folder / "radiograph" / "examples" / "nodule.png")
    Image.fromarray(np.where(pixels > 100, 255, 0).astype(np.uint8)).save(
        folder / "radiograph" / "examples" / "lesion.png"
    )
    monkeypatch.setattr(catalog, "BUNDLED", folder)
    monkeypatch.setattr(catalog, "bundled", lambda: cards)
    return folder

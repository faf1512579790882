"""Result: what every method returns and every picture is drawn from.

It holds numpy arrays with named axes and can be saved and opened with no model and no torch.
"""

from __future__ import annotations

import base64
import bisect
import importlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from backends import words
from backends.errors import Refused

VERSION = 4
"""Part of every job's key: raise it when the meaning of any array or document changes."""


def encode_array(values: np.ndarray) -> dict[str, Any]:
    """An array of any shape as JSON values: its `shape`, and its `values` as base64 of float32."""
    return {"shape": list(values.shape), "values": base64.b64encode(values.astype("<f4").tobytes()).decode()}


def decode_array(plain: Mapping[str, Any]) -> np.ndarray:
    """The array that `encode_array` made `plain` from, as float32."""
    return np.frombuffer(base64.b64decode(plain["values"]), "<f4").reshape(plain["shape"])


@dataclass(frozen=True)
class Result:
    """Arrays with their axes, labels and unit, and the request that made them.

    `axes[name]` names each axis of `arrays[name]`; `labels[axis]` names its entries, where they
    have names. `unit` and `signed` speak of the method's main array (the first one).
    Raises `Refused` when shapes, axes and labels disagree.
    """

    method: str
    arrays: Mapping[str, np.ndarray]
    axes: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str = ""
    signed: bool = False
    target: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.arrays or set(self.arrays) != set(self.axes):
            raise Refused(f"{self.method}: arrays {sorted(self.arrays)} and axes {sorted(self.axes)} disagree")
        sizes: dict[str, int] = {}
        for name, array in self.arrays.items():
            axes = self.axes[name]
            if array.ndim != len(axes):
                raise Refused(f"{self.method}: {name} has shape {array.shape} but axes {axes}")
            for axis, size in zip(axes, array.shape, strict=True):
                if sizes.setdefault(axis, size) != size:
                    raise Refused(f"{self.method}: axis {axis!r} has {sizes[axis]} entries, in {name} {size}")
        for axis, names in self.labels.items():
            if axis in sizes and len(names) != sizes[axis]:
                raise Refused(f"{self.method}: axis {axis!r} has {sizes[axis]} entries but {len(names)} labels")

    @property
    def main(self) -> str:
        """The name of the method's main array."""
        return next(iter(self.arrays))

    def _repr_html_(self) -> str:
        """The result as a notebook shows it; `viz` draws it and is looked for by name, since nothing here needs it."""
        return str(importlib.import_module("viz.notebook").show(self)._repr_html_())

    def save(self, folder: Path) -> None:
        """Write `result.json` and `arrays.safetensors` into `folder`; the JSON last, so it marks a whole result."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        save_file(arrays, folder / "arrays.safetensors")
        about = {
            "method": self.method,
            "order": list(self.arrays),
            "axes": {name: list(axes) for name, axes in self.axes.items()},
            "labels": {axis: list(names) for axis, names in self.labels.items()},
            "unit": self.unit,
            "signed": self.signed,
            "target": self.target,
            "facts": dict(self.facts),
            "request": dict(self.request),
        }
        partial = folder / "result.json.part"
        partial.write_text(json.dumps(about, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        os.replace(partial, folder / "result.json")

    @classmethod
    def load(cls, folder: Path) -> Result:
        """Open a saved result. Raises `Refused` when `folder` holds none."""
        try:
            about = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            arrays = load_file(folder / "arrays.safetensors")
            order = about.pop("order")
            about["axes"] = {name: tuple(axes) for name, axes in about["axes"].items()}
            about["labels"] = {axis: tuple(names) for axis, names in about["labels"].items()}
            about["method"], about["request"] = update_request(about["method"], about["request"])
            return cls(arrays={name: arrays[name] for name in order}, **about)
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise Refused(f"no saved result in {folder}: {error}") from error


def update_request(method: str, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the method and the request of a stored result as they are called today.

    Grad-CAM once had the option `weights`: with "place", its default, it computed what is `hires_cam` now.
    """
    options = request.get("options")
    if method != "grad_cam" or not isinstance(options, Mapping) or "weights" not in options:
        return method, dict(request)
    name = "hires_cam" if options["weights"] == "place" else method
    kept = {option: value for option, value in options.items() if option != "weights"}
    return name, {**request, "method": name, "options": kept}


GROUPINGS = ("token", "word", "sentence", "paragraph")


def regroup(result: Result, by: str) -> Result:
    """Sum a text attribution over words, sentences or paragraphs, with nothing computed again.

    Takes `attribution` (token) with `span` (token, edge) and `facts["text"]`. The groups' labels
    are the text they cover; special tokens keep a group of their own. Sums are kept exactly.
    """
    if by == "token" or "span" not in result.arrays:
        return result
    text, spans = result.facts["text"], result.arrays["span"]
    cells = _cells(text, spans.tolist(), by)
    groups: list[list[int]] = []
    last: int | None = None
    for index, (start, end) in enumerate(spans):
        cell = None if start == end else cells[index]
        if groups and cell is not None and cell == last:
            groups[-1].append(index)
        else:
            groups.append([index])
        last = cell
    attribution = np.array([result.arrays["attribution"][g].sum() for g in groups], np.float32)
    span = np.array([[spans[g[0]][0], spans[g[-1]][1]] for g in groups], np.int32)
    names = tuple(
        text[a:b].strip() if b > a else result.labels["token"][g[0]] for (a, b), g in zip(span, groups, strict=True)
    )
    return Result(
        method=result.method,
        arrays={"attribution": attribution, "span": span},
        axes={"attribution": ("token",), "span": ("token", "edge")},
        labels={"token": names},
        unit=result.unit,
        signed=result.signed,
        target=result.target,
        facts={**result.facts, "grouped_by": by},
        request=result.request,
    )


def _cells(text: str, spans: Sequence[Sequence[int]], by: str) -> list[int]:
    """The number of the word, sentence or paragraph that each token (start, end) begins in."""
    breaks = {"sentence": r"(?<=[.!?…])\s+(?=\S)|\n+", "paragraph": r"\n\s*\n"}
    if by == "word":
        return words.number(text, spans)
    if by not in breaks:
        raise Refused(f"cannot group by {by!r}; there are: {', '.join(GROUPINGS)}")
    edges = [0, *(m.end() for m in re.finditer(breaks[by], text))]
    return [bisect.bisect_right(edges, start) for start, _ in spans]

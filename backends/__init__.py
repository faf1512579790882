"""The door: everything a script, a notebook, the command line or a page needs of the models.

>>> import backends
>>> model = backends.open_model("bundled/triage")
>>> result = backends.run(model, "integrated_gradients", "no fever but severe chest pain", target="urgent")
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends import catalog, contrast, evidence, methods, models, registry
from backends.contrast import corrupt
from backends.errors import Cancelled, Refused
from backends.generation import generate
from backends.methods._base import Step, no_step
from backends.results import VERSION, Result

if TYPE_CHECKING:
    from backends.models._base import Batch, Model

__all__ = [
    "Cancelled",
    "Refused",
    "Result",
    "corrupt",
    "evidence",
    "generate",
    "methods",
    "models",
    "open_model",
    "prediction",
    "run",
    "table",
]


def open_model(name: str) -> Model:
    """The model called `name`: bundled, a hub id or a folder, loaded and probed. Raises `Refused`."""
    from backends import opening

    return opening.open_source(catalog.resolve(name))


def prediction(model: Model, batch: Batch, most: int = 10) -> list[dict[str, Any]]:
    """The model's most probable answers to `batch`, best first, as plain values."""
    return [dataclasses.asdict(choice) for choice in model.predict(batch, most)]


def run(
    model: Model,
    method: str,
    raw: Any,
    target: Any = None,
    step: Step = no_step,
    request: Mapping[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Compute `method` of `raw`, explaining `target` (None: what the model predicts).

    `raw` is a text, an image (path, bytes, PIL), a mapping of both, or for methods that intervene
    `{"clean": …, "corrupted": …}`. Raises `Refused` on anything
    that cannot be done, before long work begins.
    """
    entry = registry.method(method)
    missing = entry.needs - model.offers
    if missing:
        why = "; ".join(model.sites.withdrawn[m] for m in sorted(missing) if m in model.sites.withdrawn)
        fits = ", ".join(methods(model))  # type: ignore[operator]
        raise Refused(
            f"{entry.title} needs {', '.join(sorted(missing))}, which {model.name} does not give"
            + (f" ({why})" if why else "")
            + f"; it offers: {fits}"
        )
    built = entry.build(options)
    with model.lock:
        batch = contrast.encode(model, raw)
        if entry.needs_pair and batch.corrupted is None:
            raise Refused(
                f'{entry.title} compares two inputs: give {{"clean": …, "corrupted": …}}; '
                "backends.corrupt(model, raw) makes a corrupted one"
            )
        aim = model.target(target, batch) if entry.needs_target else None
        result = built(model, batch, aim, step)
        known = "prediction" in result.facts  # of the method's own forward
        facts = result.facts if known else {**result.facts, "prediction": prediction(model, batch)}
    asked = request or {
        "job": "run",
        "model": model.name,
        "revision": model.revision,
        "method": method,
        "options": built.options(),
        "input": None,
        "target": target,
        "version": VERSION,
    }
    return dataclasses.replace(result, facts=facts, request=dict(asked))


def table(model: Model, rows: Any, step: Step = no_step) -> dict[str, Any]:
    """How `model` does on `rows`: its answer to each (`rows`), and accuracy, confusion and the like (`summary`).

    `rows` is the path of a folder of images, of a CSV of texts or of a zip, a `datasets.Dataset`, or mappings with
    `text` or `image` and, where it is known, `label`. A row that fails says why; it stops no other. Raises `Refused`.
    """
    from backends import datasets, tables

    if isinstance(rows, (str, os.PathLike)):
        rows = datasets.open_path(os.fspath(rows))
    if isinstance(rows, datasets.Dataset):
        given = [{"raw": row.raw, "label": row.label, "problem": row.problem} for row in rows.rows]
    else:
        given = [{"raw": {k: v for k, v in r.items() if k != "label"}, "label": r.get("label")} for r in rows]
    return tables.table(model, given, step)

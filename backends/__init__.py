"""The door: everything a script, a notebook, the command line or a page needs of the models.

>>> import backends
>>> model = backends.open_model("bundled/triage")
>>> result = backends.run(model, "integrated_gradients", "no fever but severe chest pain", target="urgent")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backends import catalog, methods, models, registry
from backends.errors import Cancelled, Refused
from backends.methods._base import Step, no_step
from backends.results import VERSION, Result

if TYPE_CHECKING:
    from backends.models._base import Batch, Model

__all__ = ["Cancelled", "Refused", "Result", "methods", "models", "open_model", "prediction", "run"]


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

    `raw` is a text, an image (path, bytes, PIL) or a mapping of both. Raises `Refused` on anything
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
        batch = model.encode(raw)
        aim = model.target(target, batch) if entry.needs_target else None
        result = built(model, batch, aim, step)
        facts = {**result.facts, "prediction": prediction(model, batch)}
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

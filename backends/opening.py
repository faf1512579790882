"""Opening a model: its files become a Model that was probed, with a card that says what it can give."""

from __future__ import annotations

import os
from typing import Any

from backends import catalog, registry
from backends.errors import Refused
from backends.models._base import Model


def device() -> str:
    """Where networks run: VITRINE_DEVICE, else CUDA or MPS when there, else the CPU."""
    import torch

    asked = os.environ.get("VITRINE_DEVICE")
    if asked:
        return asked
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def open_source(source: catalog.Source) -> Model:
    """Load and probe the model of `source`. Raises `Refused` when no family opens it."""
    from backends.models import _load

    source = catalog.fetch(source)
    named = _load.architectures(source)
    for family in sorted(registry.entries("models").values(), key=lambda family: -family.claim):
        auto = family.auto_class(named, source.path)
        if auto:
            model = family.load(source, auto, device())
            try:
                _probe(model)
            except Refused:
                raise
            except Exception as error:  # whatever a stranger's network raises on an input of another kind
                _load.log.warning("a first forward of %s failed", source.name, exc_info=True)
                why = _load.first_line(error)
                raise Refused(f"{source.name!r} opens as {model.task}, but a small forward fails: {why}") from None
            return model
    kinds = ", ".join(f.task for f in registry.entries("models").values())
    raise Refused(f"{source.name!r} is a {', '.join(named) or 'model of no named kind'}; Vitrine opens: {kinds}")


def _probe(model: Model) -> None:
    """Find the parts of the network with one small forward."""
    import torch

    from backends import capture, probe

    batch = model.encode(model.sample)

    def run() -> Any:
        with torch.no_grad():
            return model.outputs(model.features(batch), batch)

    with model.lock:
        places = model.places()
        model.stacks = {name: probe.locate(model.module, run, **where) for name, where in places.items()}
        model.sites = model.stacks[next(iter(places))] if places else probe.locate(model.module, run)
        if model.sites.block:
            with capture.record(model.module, model.sites, residual=True) as recording:
                run()
            model.tokens_seen = recording.residual[0].shape[1]


def card(model: Model) -> dict[str, Any]:
    """What a page needs to know of an open model, as plain JSON; of a bundled one with its data and figures."""
    sites = model.sites
    return {
        **catalog.card(model.name),
        "name": model.name,
        "revision": model.revision,
        "family": type(model).__name__,
        "task": model.task,
        "offers": sorted(model.offers),
        "labels": list(model.labels),
        "limit": model.limit,
        "parameters": sum(p.numel() for p in model.module.parameters()),
        "device": model.device,
        "layers": len(sites.block),
        "heads": sites.heads,
        "parts": {
            name: {"layers": len(s.block), "heads": s.heads, "checks": _checks(s), "withdrawn": dict(s.withdrawn)}
            for name, s in model.stacks.items()
        },
        "roles": {role: list(paths) for role, paths in model.layers().items()},
        "checks": _checks(sites),
        "withdrawn": dict(sites.withdrawn),
        "stand_ins": list(model.stand_ins),
        "warnings": list(model.warnings),
    }


def _checks(sites: Any) -> dict[str, float]:
    """What was measured when the parts were found; JSON has no infinity, which stands for tensors of other shapes."""
    return {name: gap for name, gap in sites.checks.items() if gap < float("inf")}

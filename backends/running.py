"""Opening a model and running a method on it: files become a probed `Model`, an input becomes a `Result`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from backends import catalog, registry, settings
from backends.cost import memory
from backends.errors import Refused
from backends.methods.base import Step, no_step
from backends.models import input_pair, replacement_kinds
from backends.models.base import Batch, Model
from backends.models.card import Card
from backends.requests import Run
from backends.results import Result


def open_model(name: str) -> Model:
    """The model called `name`: bundled, a hub id or a folder, loaded and probed. Raises `Refused`."""
    from backends import running

    return running.open_source(catalog.resolve(name))


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
        fits = ", ".join(name for name, method in registry.entries("methods").items() if method.needs <= model.offers)
        raise Refused(
            f"{entry.title} needs {', '.join(sorted(missing))}, which {model.name} does not give"
            + (f" ({why})" if why else "")
            + f"; it offers: {fits}"
        )
    built = entry.build(options)
    with model.lock:
        batch = input_pair.encode(model, raw)
        if entry.needs_pair and batch.corrupted is None:
            raise Refused(
                f'{entry.title} compares two inputs: give {{"clean": …, "corrupted": …}}; '
                "backends.corrupt(model, raw) makes a corrupted one"
            )
        aim = model.target(target, batch) if entry.needs_target else None
        result = built(model, batch, aim, step)
        known = "prediction" in result.facts  # of the method's own forward
        facts = result.facts if known else {**result.facts, "prediction": prediction(model, batch)}
    own = Run(
        model=model.name, revision=model.revision, method=method, options=built.options(), input=None, target=target
    )
    return dataclasses.replace(result, facts=facts, request=dict(request or own.plain()))


def run_request(model: Model, request: Run, raw: Any, step: Step = no_step) -> Result:
    """Compute the run that `request` asks for, of the input `raw`. Raises `Refused`."""
    about = {"target": request.target, "step": step, "request": request.plain()}
    return run(model, request.method, raw, **about, **request.options)


def device(asked: str = "") -> str:
    """Where a network runs: `asked`, else VITRINE_DEVICE, else CUDA or MPS when there, else the CPU.

    Raises `Refused` when this machine has no such device.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(["cuda", *(f"cuda:{n}" for n in range(gpus)), "auto"] if gpus else [])]
    there += ["mps"] if torch.backends.mps.is_available() else []
    asked = asked or settings.value("VITRINE_DEVICE")
    if asked and asked not in there:
        raise Refused(f"there is no device {asked[:40]!r} on this machine; there are: {', '.join(there)}")
    return asked or ("cuda" if gpus else "mps" if "mps" in there else "cpu")


def open_source(source: catalog.Source) -> Model:
    """Load and probe the model of `source`. Raises `Refused` when no family opens it."""
    from backends.models import load

    source = catalog.fetch(source)
    named = load.read_architectures(source)
    where = device(source.settings.device)
    for family in sorted(registry.entries("models.families").values(), key=lambda family: -family.claim):
        auto = family.auto_class(named, source.path)
        if auto:
            memory.check_fits(source, where)
            model = family.load(source, auto, where)
            model.examples = catalog.examples(source.name)
            model.warnings += _find_broken_weights(model)
            try:
                _probe(model)
            except Refused:
                raise
            except Exception as error:  # whatever a stranger's network raises on an input of another kind
                load.log.warning("a first forward of %s failed", source.name, exc_info=True)
                why = load.first_line(error)
                raise Refused(f"{source.name!r} opens as {model.task}, but a small forward fails: {why}") from None
            return model
    kinds = ", ".join(f.task for f in registry.entries("models.families").values())
    raise Refused(f"{source.name!r} is a {', '.join(named) or 'model of no named kind'}; Vitrine opens: {kinds}")


def _find_broken_weights(model: Model) -> list[str]:
    """Return a sentence on weights that are no numbers (NaN, infinite), which make every answer meaningless."""
    import torch

    named = [(name, p) for name, p in model.module.named_parameters() if p.is_floating_point()]
    broken = [name for name, p in named if not p.is_meta and not bool(p.detach().sum(dtype=torch.float64).isfinite())]
    if not broken:
        return []
    return [
        f"{len(broken)} of {len(named)} weight tensors hold values that are no numbers ({broken[0]} …): "
        "what this network answers means nothing"
    ]


def _probe(model: Model) -> None:
    """Find the parts of the network with one small forward."""
    import torch

    from backends.hooks import probe
    from backends.hooks.recording import record

    if model.prepare():
        return
    batch = model.encode(model.sample)

    def run() -> Any:
        with torch.no_grad():
            return model.outputs(model.features(batch), batch)

    with model.lock:
        places = model.places()
        model.stacks = {name: probe.locate(model.module, run, **where) for name, where in places.items()}
        model.sites = model.stacks[next(iter(places))] if places else probe.locate(model.module, run)
        if model.sites.block:
            with record(model.module, model.sites, residual=True) as recording:
                run()
            model.tokens_seen = recording.residual[0].shape[1]
            _check_replay(model)


def _check_replay(model: Model) -> None:
    """Whether forwards of each stack may begin at a later block: `replay_gap` is how much that changes the answer.

    `trim_gap` is the same where only later tokens change and those before are left out, as causal networks allow.
    """
    import torch

    from backends.hooks import partial_forward

    batch = model.encode(model.sample)
    features = model.features(batch)

    def run(count: int) -> Any:
        with torch.no_grad():
            return model.outputs(features.expand(count, *features.shape[1:]), batch)

    def checked(sites: Any) -> Any:
        if not sites.block or "residual" in sites.withdrawn:
            return sites
        found = {"replay_gap": partial_forward.measure_gap(model.module, sites, run)}
        if "attention" in sites.offers and sites.interface and not model.answers:
            columns = (1, 0) if "next_token" in model.offers and partial_forward.can_narrow(model.module, sites) else ()
            found["trim_gap"] = partial_forward.measure_gap(
                model.module, sites, run, trim=True, last=True, columns=columns
            )
        return dataclasses.replace(sites, checks={**sites.checks, **found})

    main = next((name for name, sites in model.stacks.items() if sites is model.sites), None)
    model.stacks = {name: checked(sites) for name, sites in model.stacks.items()}
    model.sites = model.stacks[main] if main is not None else checked(model.sites)


def card(model: Model) -> Card:
    """What a page needs to know of an open model, as plain JSON; of a bundled one with its data and figures."""
    sites = model.sites
    return {
        **cast(Any, catalog.card(model.name)),
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
        "answers": model.answers,
        "parts": {
            name: {
                "layers": len(s.block),
                "heads": s.heads,
                "checks": _checks(s),
                "withdrawn": dict(s.withdrawn),
                "roles": s.roles(),
            }
            for name, s in model.stacks.items()
        },
        "roles": {role: list(paths) for role, paths in model.layers().items()},
        "numbers": _numbers(model),
        "dtype": str(model.dtype).removeprefix("torch."),
        "bytes": memory.count_held_bytes(model),
        "checks": _checks(sites),
        "tolerances": _tolerances(model),
        "withdrawn": dict(sites.withdrawn),
        "stand_ins": list(model.stand_ins),
        "replacements": list(replacement_kinds.list_kinds(model, "pixels" in model.offers)) if model.stand_ins else [],
        "warnings": list(model.warnings),
        **cast(Any, model.extras),
    }


def _numbers(model: Model) -> dict[str, int]:
    """How many numbers the modules of each role hold, of all stacks; `rest` is what no role has."""
    found: dict[str, set[str]] = {}
    for sites in model.stacks.values() or [model.sites]:
        for role, paths in sites.roles().items():
            found.setdefault(role, set()).update(paths)
    weights = {name: (p.data_ptr(), p.numel()) for name, p in model.module.named_parameters(remove_duplicate=False)}
    counted: dict[str, dict[int, int]] = {}
    for role, paths in found.items():
        under = tuple(f"{path}." for path in paths)
        counted[role] = dict(about for name, about in weights.items() if name.startswith(under))
    known = {address for some in counted.values() for address in some}
    rest = dict(about for about in weights.values() if about[0] not in known)
    numbers = {role: sum(some.values()) for role, some in counted.items()} | {"rest": sum(rest.values())}
    return {role: count for role, count in numbers.items() if count}


def _tolerances(model: Model) -> dict[str, float]:
    """The gap up to which each check passes, in the precision of this network."""
    import torch

    from backends.hooks import probe

    rounding = torch.finfo(model.dtype).eps
    names = {name for sites in [model.sites, *model.stacks.values()] for name in sites.checks}
    return {name: probe.find_tolerance(name, rounding) for name in sorted(names)}


def _checks(sites: Any) -> dict[str, float]:
    """What was measured when the parts were found; JSON has no infinity, which stands for tensors of other shapes."""
    return {name: gap for name, gap in sites.checks.items() if gap < float("inf")}

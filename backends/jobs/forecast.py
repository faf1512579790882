"""What a model takes in memory and time before it is opened, and what its methods take for one input."""

from __future__ import annotations

from typing import Any

from backends import catalog, running
from backends.cost import forecast
from backends.jobs.base import Job
from backends.jobs.model_cache import find_model, models
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Forecast
from backends.store import Store


def perform(model: Model | None, request: Forecast, store: Store, step: Step) -> dict[str, Any]:
    """Return what the model takes; with an input `runs`, what each method takes for it. None: it is not open."""
    if model is not None and request.input is not None:
        return {"runs": _forecast_runs(model, request, store, step)}
    if model is not None:
        return forecast.forecast_model(model)
    source = catalog.configured(request.model)
    return forecast.forecast_source(source, running.device(source.settings.device))


def _forecast_runs(model: Model, request: Forecast, store: Store, step: Step) -> dict[str, Any]:
    batch, methods = model.encode(store.get_input(str(request.input))), request.methods or {}
    found = {}
    for method, options in methods.items():
        found[method] = forecast.forecast_run(model, batch, method, options, request.target)
        step(len(found) / len(methods))
    return found


def _find(request: Forecast) -> Model | None:
    """The model where it is open; for an input, opened."""
    return models().peek(request.model) if request.input is None else find_model(request)


ENTRY = Job(Forecast, perform, model=_find)

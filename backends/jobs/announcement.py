"""What a long job will take, said before it begins."""

from __future__ import annotations

import logging
from typing import Any

from backends.cost import forecast
from backends.errors import Refused, Unsettled
from backends.methods.base import Step
from backends.models import input_pair
from backends.models.base import Model
from backends.requests import OneMap

log = logging.getLogger("vitrine")


def announce(model: Model, request: OneMap, raw: Any, step: Step) -> None:
    """Say what a run of `request` on the input `raw` takes, if much. Raises `Unsettled` where it does not fit."""
    say = getattr(step, "say", None)
    if say is None:
        return
    try:
        batch = input_pair.encode(model, raw)
        words = forecast.announce(model, batch, request.method, request.options, request.target)
    except Refused as refused:
        if isinstance(refused, Unsettled):
            raise
        return  # the run itself says why
    except Exception:  # a forecast stops no run
        log.warning("no forecast of %s on %s", request.method, model.name, exc_info=True)
        return
    if words:
        say(words)

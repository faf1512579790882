"""What a job is: the request that asks for it, and the function that carries it out.

A file in this folder with `ENTRY = Job(request, perform)` is a job. It is found by its file, and called by the name
that its request carries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from backends import registry
from backends.errors import Refused
from backends.jobs.model_cache import find_model
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Request, field_types
from backends.results import Result
from backends.store import Store

R = TypeVar("R", bound=Request)


@dataclass(frozen=True)
class Job(Generic[R]):
    """One thing that a worker can do.

    `perform(model, request, store, step)` returns a `Result`, or a document of plain JSON values, and calls `step` with
    the fraction done, which raises when nobody wants the job any more. `model(request)` finds the model that `perform`
    is given: the one that the page opened, unless the job says otherwise. Raises `Refused` when `request` is none.
    """

    request: type[R]
    perform: Callable[[Any, R, Store, Step], Result | dict[str, Any]]
    model: Callable[[R], Model | None] = find_model

    def __post_init__(self) -> None:
        asked = self.request
        if not (isinstance(asked, type) and issubclass(asked, Request) and isinstance(getattr(asked, "job", 0), str)):
            raise Refused("a job's request is a subclass of backends.requests.Request that names its job")
        if "__dataclass_fields__" not in vars(asked):
            raise Refused(f"{asked.__name__} is no dataclass: write @dataclass(frozen=True, kw_only=True) above it")
        field_types(asked)
        if not callable(self.perform):
            raise Refused(f"{asked.__name__}: its perform cannot be called")

    @property
    def name(self) -> str:
        """The name of the job within requests."""
        return self.request.job


def find(name: Any) -> Job[Any]:
    """Return the job that requests call `name`. Raises `Refused`, naming what there is."""
    jobs = {job.name: job for job in registry.entries("jobs").values()}
    if not isinstance(name, str) or name not in jobs:
        raise Refused(f"no job {str(name)[:40]!r}; there are: {', '.join(sorted(jobs))}")
    return jobs[name]

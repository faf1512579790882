"""Whose job is next, on which worker, and who makes room: the rule of fairness, free of dask and of threads.

Tabs take turns: of the jobs that wait, the next is one of the tab that was served longest ago. Where there are several
workers, the last is kept for quick work: long jobs never get it, and a job that takes long on it makes room and starts
again elsewhere once others wait. Long jobs that keep what they have, piece by piece, take turns with one another, and
on a single worker with everything: they are stopped and go on later where they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Future

LONG = frozenset({"survey", "sweep", "table", "blind"})
"""Jobs that go over many inputs: they never get the worker that is kept for quick work."""

RESUMED = frozenset({"survey", "sweep"})
"""Those of them that keep each piece in the store, so that one that was stopped goes on where it was."""

SOON = 0.5
"""Seconds of work under way, or of waiting, after which others use the quick worker beside it."""

QUICK = 3.0
"""Seconds that a job may hold the quick worker while others wait."""

SLICE = 3.0
"""Seconds that a resumed job has before it makes room; twice as many each time, so that it gets on."""

LONGEST_SLICE = 30.0


@dataclass(eq=False)
class Attempt:
    """One try of a job on one worker, `place` of 0, 1, …; times are of `time.monotonic`, 0 for not yet."""

    job: Job
    name: str
    worker: str
    place: int
    sent: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    left: float = 0.0
    """When it was taken from the worker, who may not have noticed yet."""
    future: Future | None = None

    def ran(self, now: float) -> float:
        """The seconds for which it runs already."""
        return now - self.begun if self.begun else 0.0


@dataclass(eq=False)
class Job:
    """What the turns depend on of a job. `owners` maps each browser tab to when it was last heard of."""

    key: str
    request: dict[str, Any]
    priority: int
    number: int
    owners: dict[str, float]
    asked: float = field(default_factory=time.monotonic)
    attempt: Attempt | None = None
    long: bool = False
    slice: float = SLICE
    spent: float = 0.0
    """Seconds that earlier tries took."""

    def __post_init__(self) -> None:
        self.long = self.request.get("job") in LONG

    @property
    def resumed(self) -> bool:
        """Whether a job that is stopped goes on later where it was."""
        return self.request.get("job") in RESUMED


class Turns:
    """When each tab was served last."""

    def __init__(self) -> None:
        self._count = 0
        self._served: dict[str, int] = {}

    def in_order(self, waiting: Iterable[Job]) -> list[Job]:
        """The jobs that wait, the next first: by priority, then by whose turn it is, then the oldest."""

        def rank(job: Job) -> tuple[int, int, int]:
            turn = min((self._served.get(owner, 0) for owner in job.owners), default=0)
            return -job.priority, turn, job.number

        return sorted(waiting, key=rank)

    def served(self, job: Job) -> None:
        """Note that the job's tabs were served now; the tabs of long ago are forgotten."""
        self._count += 1
        for owner in job.owners:
            self._served[owner] = self._count
        if len(self._served) > 10_000:
            self._served = dict(sorted(self._served.items(), key=lambda pair: pair[1])[-1000:])


def seat_for(
    job: Job, free: Mapping[str, int], busy: Iterable[Attempt], places: int, warm: Mapping[str, str], now: float
) -> str | None:
    """The worker of `free` (address: place) that takes `job` now, or None; `warm` is the model each was last asked for.

    `places` is how many workers there are when all are there.
    """
    quick = places - 1 if places > 1 else -1
    usual = [worker for worker, place in free.items() if place != quick]
    if usual:
        wanted = job.request.get("model")
        return min(usual, key=lambda worker: (warm.get(worker) != wanted, free[worker]))
    last = next((worker for worker, place in free.items() if place == quick), None)
    if last is None or job.long:
        return None
    others = [attempt for attempt in busy if attempt.place != quick]
    return (
        last if now - job.asked >= SOON or all(a.job.long or a.left or now - a.sent >= SOON for a in others) else None
    )


def makes_room(attempt: Attempt, waiting: Iterable[Job], places: int, now: float) -> bool:
    """Whether the job of `attempt` is to be stopped for one of those that wait, and to be taken up again later."""
    job, ran = attempt.job, attempt.ran(now)
    others = [other for other in waiting if other is not job and other.priority >= job.priority]
    if not others or not ran or attempt.left:
        return False
    if places > 1 and attempt.place == places - 1:
        return ran > QUICK and any(not other.long for other in others)
    if not job.resumed or ran < job.slice:
        return False
    strangers = [other for other in others if not set(other.owners) & set(job.owners)]
    if places == 1:
        return bool(strangers) or any(not other.long for other in others)
    return any(other.long for other in strangers)


def stopped(attempt: Attempt, now: float) -> None:
    """Note that the job of `attempt` makes room: it waits again, as a long one, and has more time the next time."""
    job = attempt.job
    attempt.left = now
    job.attempt = None
    job.long = True
    job.spent += attempt.ran(now)
    job.slice = min(2 * job.slice, LONGEST_SLICE)

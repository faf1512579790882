"""Jobs: submit, progress, result, on dask.distributed. Loads no torch.

With no address, worker processes are started on this machine at the first job; with `VITRINE_SCHEDULER`
the jobs go to that cluster. A job is known by the key of its request, so the same question asked by
many is computed once, and an answer that the store holds needs no worker at all.

Jobs wait here, not in dask: each free worker is handed the next one, by the rule of `backends.jobs.turns`.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import importlib
import itertools
import logging
import os
import queue
import threading
import time
import traceback
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from backends import settings
from backends.errors import Cancelled, Crowded, Refused, Unsettled
from backends.jobs import cluster
from backends.jobs.turns import Attempt, Job, Turns, makes_room, seat_for, stopped
from backends.requests import key_of
from backends.results import Result
from backends.store import Store

if TYPE_CHECKING:
    from distributed import Future

log = logging.getLogger("vitrine.engine")

PATIENCE = 30.0
"""Seconds of silence after which a browser tab counts as closed."""

REMEMBERED = 60.0
"""Seconds for which the end of a job is kept in memory; what it computed stays in the store."""

FAULT = "this failed in Vitrine itself, not through what you asked; the server's log has the details"
LOST = "the connection to the workers broke off while this was computed; ask again"
SMALLER = "try a shorter input, a smaller model or fewer samples"
NOBODY = "no worker has been there to compute this for a while; start one, then ask again"
AGAIN = "the worker process died; computing it again"
PAUSED = "others' work goes first for a moment; this goes on where it was"
RESTARTED = "this takes long: others' short work goes first, then it starts again"

TICK, LOOK = 0.25, 1.0
"""Seconds between two tries to hand out what waits, and between two looks at everything."""

STUCK = 5.0
"""Seconds that a job which is not wanted any more has to end before its worker is ended, if another job waits."""

STUCK_ALONE = 30.0
"""The same where nothing waits."""

MOST_UNBEGUN = 4
"""How often a job's worker may die before it began the job."""

UNHEARD = 60.0
"""Seconds after which a worker of one's own that does not begin a job is taken for stuck."""

UNATTENDED = 120.0
"""Seconds that a job waits for a worker to join an external cluster."""

MOST = 1000
"""Jobs that are known at a time, waiting ones included."""

SHARE = 100
"""Jobs that one browser tab may have under way."""

GONE = "this is not kept any more and nothing computes it; ask for it again"
CLOSED = "Vitrine is being stopped"

STATES = ("waiting", "running", "done", "failed", "cancelled")
"""How a job can stand."""


@dataclass(frozen=True)
class State:
    """How a job stands. `status` is waiting, running, done, failed or cancelled; `message` is for the person.

    `fraction` runs from 0 to 1; `seconds` count from the request to now or to the end. `again` says of a job that
    ended without an answer that the same may go well another time; what was refused for itself will be again.
    `preview` is what a method shows of its answer so far, small plain JSON.
    """

    status: str
    fraction: float = 0.0
    message: str = ""
    seconds: float = 0.0
    again: bool = False
    preview: Any = None

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ("done", "failed", "cancelled")


@dataclass(eq=False)
class _Job(Job):
    """One request under way."""

    state: State = State("waiting")
    ended: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    waiting: int = 0
    deaths: list[cluster.Death] = field(default_factory=list)
    unbegun: int = 0
    """How often a worker died that had been handed this job, and had not said yet that it began."""


class Engine:
    """Runs jobs and knows how they stand. Every method may be called from any thread and returns at once, but `wait`.

    `perform` is the import path of what a worker does with a request; see `backends.jobs.worker`.
    An owner is a browser tab: a job goes on while one of its owners wants it, and an owner not heard
    of for `patience` seconds (three times that once a job is four minutes old) wants nothing.
    `workers` are the worker processes of its own, `VITRINE_WORKERS` unless given.
    """

    def __init__(
        self,
        store: Store,
        address: str | None = None,
        perform: str = "backends.jobs.worker:perform",
        patience: float = PATIENCE,
        workers: int | None = None,
    ) -> None:
        self.store = store
        self.address = address or settings.value("VITRINE_SCHEDULER") or None
        self.perform = perform
        self.patience = patience
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._topic = f"vitrine-{uuid.uuid4().hex[:12]}"
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._own_workers = max(1, int(settings.number("VITRINE_WORKERS") if workers is None else workers))
        self._most_seconds = settings.number("VITRINE_JOB_SECONDS")
        self._most_bytes = int(settings.number("VITRINE_JOB_GB") * 2**30)
        self._cluster: cluster.Embedded | cluster.Remote | None = None
        self._turns = Turns()
        self._busy: dict[str, Attempt] = {}
        self._asked_last: dict[str, str] = {}
        self._wanted_warm = False
        self._warmed: dict[str, Future] = {}
        self._unattended = 0.0
        self._refused: tuple[float, Refused] | None = None
        self._ended: Counter[str] = Counter()

    def submit(self, request: Mapping[str, Any], owner: str, priority: int = 0) -> str:
        """Ask for `request` on behalf of `owner`; returns its key. Work with a lower `priority` waits longer.

        A job that is under way is joined; one that failed or was cancelled starts anew. Raises
        `Refused` when the request is not plain JSON, or far too much is waiting already, of `owner` or in all.
        """
        if self._closing.is_set():
            raise Refused(CLOSED)
        key = key_of(request)
        with self._lock:
            job = self._jobs.get(key)
            if job and not job.state.final:
                job.owners[owner] = time.monotonic()
                return key
            self._jobs.pop(key, None)
            if self.store.has(key):
                return key
            self._make_room(owner)
            job = _Job(key, dict(request), priority, next(self._numbers), {owner: time.monotonic()})
            self._jobs[key] = job
        self._call(self._fill)
        return key

    def state(self, key: str) -> State:
        """How the job of this key stands; what is neither computed nor kept is `failed`, with a sentence."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                return self._kept(key)
            if job.state.final:
                return job.state
            message = job.state.message
            if job.state.status == "waiting" and not message:
                ahead = sum(not j.state.final and j.number < job.number for j in self._jobs.values())
                message = f"waiting: {ahead} before this one" if ahead else "waiting for the worker"
            return dataclasses.replace(job.state, message=message, seconds=time.monotonic() - job.asked)

    def wait(self, key: str, seconds: float) -> State:
        """How the job stands once it has ended, or after `seconds`. What is waited for is wanted: no sweep takes it."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.state.final:
                return self.state(key)
            job.waiting += 1
        try:
            job.ended.wait(seconds)
        finally:
            with self._lock:
                job.waiting -= 1
        return job.state if job.state.final else self.state(key)

    def touch(self, key: str, owner: str) -> None:
        """Note that `owner` still wants this job."""
        with self._lock:
            job = self._jobs.get(key)
            if job and owner in job.owners:
                job.owners[owner] = time.monotonic()

    def cancel(self, key: str, owner: str) -> None:
        """`owner` no longer wants this job; it stops when nobody else does."""
        with self._lock:
            job = self._jobs.get(key)
            if job and job.owners.pop(owner, None) is not None:
                self._stop_unwanted(job)

    def sweep(self) -> None:
        """Drop owners that went silent, and forget jobs that ended a while ago. A timer calls it."""
        now = time.monotonic()
        with self._lock:
            for job in list(self._jobs.values()):
                if job.state.final:
                    if now - job.ended_at > REMEMBERED:
                        del self._jobs[job.key]
                elif not job.waiting:
                    # browsers let a hidden tab speak once a minute only, after five minutes
                    patience = self.patience * (3 if now - job.asked > 240 else 1)
                    job.owners = {owner: heard for owner, heard in job.owners.items() if now - heard <= patience}
                    self._stop_unwanted(job)

    def figures(self) -> dict[str, Any]:
        """Return how many `jobs` stand how, how many `ended` how since the start, and how many `workers` there are."""
        with self._lock:
            standing = Counter(job.state.status for job in self._jobs.values())
            ended = {how: self._ended[how] for how in ("done", "failed", "cancelled")}
        return {"jobs": {how: standing[how] for how in STATES}, "ended": ended, "workers": self._workers()}

    def lack(self) -> str:
        """Return why no job could be computed now, or nothing."""
        if self._closing.is_set():
            return CLOSED
        if self._cluster is None and self._refused:
            return str(self._refused[1])
        return "" if self._workers() else "no worker is there yet"

    def _workers(self) -> int:
        """How many workers are there, as far as is known without asking anybody."""
        there = self._cluster
        if there is None or not there.healthy():
            return 0
        return len(there.workers()) if isinstance(there, cluster.Embedded) else there.size

    def warm(self) -> None:
        """Start the worker and its heavy imports in the background, so that the first job need not wait for them."""
        self._wanted_warm = True
        self._call(self._fill)

    def close(self) -> None:
        """Stop all jobs and, if it is this engine's own, the worker process. Later submits are refused."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            threads = list(self._threads)
            for job in self._jobs.values():
                self._end(job, "cancelled", CLOSED)
        atexit.unregister(self.close)
        self._calls.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(2)
        self._disconnect()

    # Ends of jobs

    def _make_room(self, owner: str) -> None:
        """Forget the oldest ends when very many jobs are known. Raises `Unsettled` where `owner` has its share."""
        if sum(owner in job.owners and not job.state.final for job in self._jobs.values()) >= SHARE:
            raise Unsettled(
                f"this browser tab has {SHARE} jobs under way, as many as one may have; ask again when some are done"
            )
        if len(self._jobs) >= MOST:
            over = [key for key, job in self._jobs.items() if job.state.final][: MOST // 4]
            if not over:
                raise Unsettled(f"{MOST} jobs are waiting already; try again when some of them are done")
            for key in over:
                del self._jobs[key]

    def _kept(self, key: str) -> State:
        try:
            return State("done", 1.0) if self.store.has(key) else State("failed", message=GONE, again=True)
        except Refused as refusal:
            return State("failed", message=str(refusal))

    def _end(self, job: _Job, status: str, message: str = "", again: bool = True) -> None:
        with self._lock:
            if not job.state.final:
                job.ended_at = time.monotonic()
                fraction = 1.0 if status == "done" else job.state.fraction
                job.state = State(status, fraction, message, job.ended_at - job.asked, again and status != "done")
                job.ended.set()
                self._ended[status] += 1

    def _say(self, job: _Job, message: str) -> None:
        with self._lock:
            if not job.state.final:
                job.state = dataclasses.replace(job.state, message=message)

    def _stop_unwanted(self, job: _Job) -> None:
        if not job.owners and not job.state.final:
            self._end(job, "cancelled", "cancelled")
            self._call(partial(self._release, job))

    def _release(self, job: _Job) -> None:
        """Take the job from its worker, who notices at its next step; the worker counts as busy until it has."""
        with self._lock:
            attempt, job.attempt = job.attempt, None
            if attempt is None:
                return
            attempt.left = time.monotonic()
        if attempt.future is not None:
            attempt.future.cancel()

    def _landed(self, attempt: Attempt, future: Future) -> None:
        """The cluster is done with an attempt, in whatever way."""
        try:
            outcome = future.result(timeout=30)
        except BaseException as error:  # dask's cancellation is no Exception
            if not attempt.left:
                self._call(partial(self._broke, attempt, error))
            return
        self._freed(attempt)
        job = self._job_of(attempt)
        if job is not None and not job.state.final:
            if outcome["trace"]:
                log.error("job %s (%s) failed\n%s", job.key, _in_short(job.request), outcome["trace"])
            if outcome.get("memory") and self._retried_elsewhere(attempt):
                return
            self._end(job, outcome["status"], outcome["message"], bool(outcome.get("again", True)))

    def _retried_elsewhere(self, attempt: Attempt) -> bool:
        """Whether a job for which the quick worker has no memory beside the others' waits for another worker now."""
        with self._lock:
            if attempt.place == 0 or attempt.job.long:
                return False
            attempt.job.long, attempt.job.attempt = True, None
        self._call(self._fill)
        return True

    def _broke(self, attempt: Attempt, error: BaseException) -> None:
        """Dask gave up an attempt: its worker died, or the connection broke off."""
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            self._lost(attempt)
            return
        job = self._job_of(attempt)
        self._freed(attempt)
        if job is not None:
            self._end(job, "failed", _in_words(error))
            if job.state.message == FAULT:
                log.error("job %s failed", job.key, exc_info=error)

    def _lost(self, attempt: Attempt) -> None:
        """The worker of an attempt died: the job waits again, or ends where that says more than another try would."""
        self._freed(attempt)
        job = self._job_of(attempt)
        if job is None or job.state.final:
            return
        death = self._cluster.death(attempt.worker) if self._cluster else cluster.Death()
        if attempt.future is not None:
            attempt.left = time.monotonic()
            attempt.future.cancel()
        with self._lock:
            job.attempt = None
            job.spent += attempt.ran(time.monotonic())
            if attempt.begun:
                job.deaths.append(death)
                job.long = True  # another try must not take the worker that is kept for quick work
                job.state = dataclasses.replace(job.state, status="waiting", message=AGAIN)
            else:  # it is hardly to blame
                job.unbegun += 1
            if len(job.deaths) > 1 or job.unbegun > MOST_UNBEGUN or (attempt.begun and death.memory):
                self._end(job, "failed", _of_deaths(job.deaths or [death]))
        self._call(self._fill)

    def _job_of(self, attempt: Attempt) -> _Job | None:
        """The job of an attempt, if that is its present one."""
        job = attempt.job
        return job if isinstance(job, _Job) and job.attempt is attempt else None

    def _freed(self, attempt: Attempt) -> None:
        """A worker is free again."""
        with self._lock:
            if self._busy.get(attempt.worker) is attempt:
                del self._busy[attempt.worker]
        self._call(self._fill)

    def _heard(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Progress from a worker, or that it is done with an attempt."""
        _, said = event
        with self._lock:
            attempt = next((a for a in self._busy.values() if a.name == said["name"]), None)
            if attempt is None:
                return
            if said.get("ended"):
                if attempt.left:  # else its outcome is on its way
                    self._freed(attempt)
                return
            attempt.begun = attempt.begun or time.monotonic()
            job = self._job_of(attempt)
            if job is None or job.state.final:
                return
            message = job.state.message if job.state.status == "running" else AGAIN if job.deaths else ""
            preview = said.get("preview", job.state.preview)
            job.state = State("running", said["fraction"], said.get("message", message), preview=preview)

    # The cluster. Only the thread below starts it and speaks to it, until `close`.

    def _call(self, call: Callable[[], None]) -> None:
        """Have `call` made by the engine's own thread, in order."""
        with self._lock:
            if not self._threads and not self._closing.is_set():
                jobs = (self._make_calls, "vitrine-calls"), (self._keep_sweeping, "vitrine-sweep")
                self._threads = [threading.Thread(target=t, name=n, daemon=True) for t, n in jobs]
                atexit.register(self.close)
                for thread in self._threads:
                    thread.start()
        self._calls.put(call)

    def _make_calls(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._closing.is_set():
                try:
                    call()
                except Exception:
                    if not self._closing.is_set():
                        log.exception("a call to the cluster failed")

    def _keep_sweeping(self) -> None:
        next_look = 0.0
        while not self._closing.wait(min(TICK, self.patience / 4)):
            behind = not self._calls.empty()
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + min(LOOK, self.patience / 4)
                self.sweep()
                if not behind:
                    self._call(self._tend)
            elif not behind and self._waiting():
                self._call(self._fill)

    def _waiting(self) -> list[Job]:
        """The jobs that wait for a worker, the next first."""
        with self._lock:
            return self._turns.in_order(j for j in self._jobs.values() if j.attempt is None and not j.state.final)

    def _fill(self) -> None:
        """Hand jobs to free workers until none is left that may take one."""
        waiting = self._waiting()
        if not waiting and not self._wanted_warm:
            return
        try:
            there = self._connected()
            workers = there.workers()
            self._warm_up(there, workers)
            for job in waiting:
                free = {worker: place for worker, place in workers.items() if worker not in self._busy}
                if not free:
                    break
                busy, now = list(self._busy.values()), time.monotonic()
                worker = seat_for(job, free, busy, there.size, self._asked_last, now)
                if worker is not None:
                    self._hand(there, job, worker, workers[worker])
        except Refused as refusal:
            self._fail_all(waiting, str(refusal))
            if self._wanted_warm:
                self._wanted_warm = False
                log.warning("%s", refusal)
        except Exception:
            if not self._closing.is_set():
                log.exception("jobs could not be handed to a worker")
            self._fail_all(waiting, FAULT)

    def _fail_all(self, jobs: list[Job], message: str) -> None:
        for job in jobs:
            if isinstance(job, _Job) and job.attempt is None:
                self._end(job, "failed", message)

    def _hand(self, there: cluster.Embedded | cluster.Remote, job: Job, worker: str, place: int) -> None:
        """Have `worker` try `job`."""
        attempt = Attempt(job, f"{self._topic}-{next(self._numbers)}", worker, place)
        with self._lock:
            if job.attempt is not None or self._jobs.get(job.key) is not job or self._jobs[job.key].state.final:
                return
            job.attempt = self._busy[worker] = attempt
            self._turns.served(job)
            self._asked_last[worker] = str(job.request.get("model"))
        work = (self.perform, job.request, job.key, attempt.name, str(self.store.root), self.store.limit, self._topic)
        options: dict[str, Any] = {"key": attempt.name, "workers": [worker], "priority": job.priority, "pure": False}
        try:
            attempt.future = there.client.submit(_work, *work, **options)
        except BaseException:
            job.attempt = None
            self._freed(attempt)
            raise
        attempt.future.add_done_callback(partial(self._landed, attempt))
        if attempt.left:  # cancelled meanwhile
            attempt.future.cancel()

    def _warm_up(self, there: cluster.Embedded | cluster.Remote, workers: Mapping[str, int]) -> None:
        """Have each new worker do its heavy imports; the other workers are started once the first has."""
        if not self._wanted_warm:
            return
        for worker in set(workers) - set(self._warmed):
            options: dict[str, Any] = {"key": f"{self._topic}-warm-{next(self._numbers)}", "workers": [worker]}
            self._warmed[worker] = there.client.submit(_import, self.perform, priority=100, **options)
            self._warmed[worker].add_done_callback(lambda _: self._call(there.grow))

    # Once a second: who died, who is stuck, who makes room, who takes too much

    def _tend(self) -> None:
        there = self._cluster
        if there is None or not there.healthy():
            self._disconnect()
            self._fill()  # which connects again where something waits
            return
        there.tend()
        workers, now = there.workers(), time.monotonic()
        waiting = self._waiting()
        for attempt in list(self._busy.values()):
            if attempt.worker not in workers:
                self._lost(attempt)
            elif attempt.left:
                self._hurry(there, attempt, bool(waiting), now)
            elif isinstance(there, cluster.Embedded) and not attempt.begun and now - attempt.sent > UNHEARD:
                there.end(attempt.worker)
            elif said := self._too_much(there, attempt, now):
                self._end_job(attempt, said)
            elif makes_room(attempt, waiting, there.size, now):
                self._pause(attempt, now)
        self._asked_last = {worker: self._asked_last[worker] for worker in workers if worker in self._asked_last}
        self._warmed = {worker: self._warmed[worker] for worker in workers if worker in self._warmed}
        self._await_workers(waiting if self.address else [], bool(workers), now)
        if waiting and any(now - attempt.sent > 1 for attempt in self._busy.values()):
            there.grow()
        self._fill()

    def _hurry(self, there: cluster.Embedded | cluster.Remote, attempt: Attempt, waited_for: bool, now: float) -> None:
        """See to it that a worker ends a job that nobody wants: one that does not heed loses its process."""
        since = now - attempt.left
        if not attempt.begun and since > 2:  # taken back before the worker looked at it
            self._freed(attempt)
        elif since > (STUCK if waited_for else STUCK_ALONE) or there.held(attempt.worker) > self._room():
            log.warning("a worker does not end job %s, and is ended", attempt.job.key)
            attempt.left = now
            there.end(attempt.worker)

    def _too_much(self, there: cluster.Embedded | cluster.Remote, attempt: Attempt, now: float) -> str:
        """The sentence of a job that takes more time or memory than one may, or nothing."""
        seconds, most = attempt.job.spent + attempt.ran(now), self._most_seconds
        if most and seconds > most:
            on = "; asked again, it goes on where it was" if attempt.job.resumed else f"; {SMALLER}"
            return f"this took {most:g} seconds, the most that one job may take here (VITRINE_JOB_SECONDS){on}"
        room = self._room()
        if there.held(attempt.worker) > room:
            there.end(attempt.worker)
            return (
                f"this needed more than {room / 2**30:.1f} GB of memory, the most that a worker may hold here "
                f"(VITRINE_JOB_GB); {SMALLER}"
            )
        return ""

    def _room(self) -> int:
        """The bytes that a worker process may hold."""
        return self._most_bytes or _four_fifths()

    def _end_job(self, attempt: Attempt, said: str) -> None:
        job = self._job_of(attempt)
        if job is not None:
            self._end(job, "failed", said)
            self._release(job)

    def _pause(self, attempt: Attempt, now: float) -> None:
        """Stop a job that makes room for others; it waits again."""
        job = self._job_of(attempt)
        if job is None or job.state.final:
            return
        with self._lock:
            stopped(attempt, now)
            message = PAUSED if job.resumed else RESTARTED
            job.state = dataclasses.replace(job.state, status="waiting", message=message)
        if attempt.future is not None:
            attempt.future.cancel()

    def _await_workers(self, waiting: list[Job], attended: bool, now: float) -> None:
        """Tell those who wait at a cluster elsewhere that it has no worker, and after a while that there was none."""
        self._unattended = 0.0 if attended else self._unattended or now
        if self._unattended and now - self._unattended > UNATTENDED:
            self._fail_all(waiting, NOBODY)
        said = f"waiting for a worker to join {self.address}"
        for job in waiting:
            if isinstance(job, _Job) and attended == (job.state.message == said):
                self._say(job, "" if attended else said)

    def _connected(self) -> cluster.Embedded | cluster.Remote:
        """The cluster, which works; a broken one is replaced. Raises `Refused` when there is none."""
        if self._cluster is None or not self._cluster.healthy():
            self._disconnect()
            if self._refused and time.monotonic() - self._refused[0] < cluster.CONNECTING:
                raise self._refused[1]  # many jobs do not wait in turn for a scheduler that is not there
            try:
                self._cluster = cluster.Remote(self.address) if self.address else cluster.Embedded(self._own_workers)
            except Refused as refusal:
                self._refused = time.monotonic(), refusal
                raise
            self._cluster.client.subscribe_topic(self._topic, self._heard)
            atexit.unregister(self.close)
            atexit.register(self.close)  # after dask's own, so it runs first: that waits 4 s for a running job
        return self._cluster

    def _disconnect(self) -> None:
        there, self._cluster = self._cluster, None
        self._warmed, self._asked_last = {}, {}
        with self._lock:
            lost = list(self._busy.values())
            self._busy = {}
        for attempt in lost:
            job = self._job_of(attempt)
            if job is not None:
                self._end(job, "failed", LOST)
        if there is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                there.close()


def _in_words(error: BaseException) -> str:
    """The sentence for a job that the cluster could not carry out."""
    name = type(error).__name__
    if name in ("NoValidWorkerError", "NoWorkerError"):
        return NOBODY
    if name in ("FutureCancelledError", "CancelledError", "CommClosedError", "TimeoutError"):
        return LOST
    return FAULT


def _of_deaths(deaths: list[cluster.Death]) -> str:
    """The sentence for a job whose worker died, perhaps more than once: what is known, and no guess."""
    causes = list(dict.fromkeys(death.cause for death in deaths))
    times = {1: "", 2: " twice"}.get(len(deaths), f" {len(deaths)} times")
    said = f"the worker process died{times} while computing this: {', then '.join(causes)}"
    if any(death.memory for death in deaths):
        return f"{said}; {SMALLER}"
    return f"{said}; ask again, and if that repeats, the server's log may say more"


@functools.cache
def _four_fifths() -> int:
    """Four fifths of the memory that this machine, or its container, has."""
    from distributed.system import MEMORY_LIMIT

    return int(0.8 * MEMORY_LIMIT)


def _in_short(request: Mapping[str, Any]) -> str:
    """What a log line says of a request: nothing that a person typed."""
    return ", ".join(f"{name} {str(request[name])[:80]}" for name in ("job", "model", "method") if name in request)


# What runs in the worker process


def _performer(path: str) -> Callable[..., Result | dict[str, Any]]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _import(path: str) -> None:
    """Load what the first job would load; a module that has a `preload` has it called. Failures show in that job."""
    with contextlib.suppress(Exception):
        module = importlib.import_module(path.partition(":")[0])
        getattr(module, "preload", lambda: None)()


def _work(path: str, request: dict[str, Any], key: str, name: str, root: str, limit: int, topic: str) -> dict[str, Any]:
    """Perform one request and keep its answer; returns status, message and trace rather than raising.

    `again` is False where the request itself was refused: it would be refused another time. `memory` is True where
    another worker may have the memory for it.
    """
    store = Store(root, limit)
    step = _Step(key, name, topic)
    try:
        step(0.0)
        if not store.has(key):  # another engine may have been faster
            answer = _performer(path)(request, root, step)
            step(1.0)
            if isinstance(answer, Result):
                store.put_result(key, answer)
            else:
                store.put_document(key, answer)
        return {"status": "done", "message": "", "trace": ""}
    except Cancelled:
        return {"status": "cancelled", "message": "cancelled", "trace": ""}
    except Refused as refusal:
        again, memory = isinstance(refusal, Unsettled), isinstance(refusal, Crowded)
        return {"status": "failed", "message": str(refusal), "trace": "", "again": again, "memory": memory}
    except MemoryError:
        message = f"memory ran out while computing this; {SMALLER}"
        return {"status": "failed", "message": message, "trace": traceback.format_exc(), "memory": True}
    except Exception:
        return {"status": "failed", "message": FAULT, "trace": traceback.format_exc()}
    finally:
        step.end()


class _Step:
    """The `step` of a method on a worker: progress out, at most ten times a second, and `Cancelled` in."""

    def __init__(self, key: str, name: str, topic: str) -> None:
        from distributed import get_worker

        self.worker = get_worker()
        self.name, self.topic = name, topic
        self.event = {"key": key, "name": name, "process": os.getpid()}
        self.said = 0.0

    def end(self) -> None:
        """Say that this worker is free again, also after a job that nobody waits for."""
        self.worker.log_event(self.topic, {**self.event, "ended": True})

    def say(self, message: str) -> None:
        """Tell the person what is under way; it stands beside the progress until the end."""
        self.worker.log_event(self.topic, {**self.event, "fraction": 0.0, "message": message})

    def __call__(self, fraction: float) -> None:
        """Report `fraction`; raises `Cancelled` once the job was taken from the cluster."""
        self.tell(fraction, None)

    def tell(self, fraction: float, preview: Callable[[], Mapping[str, Any]] | None) -> None:
        """Report `fraction` and, with it, what there is of the answer so far; raises `Cancelled` as a call does."""
        # dask itself tells the worker that a running task is no longer wanted, also when the web process died
        task = self.worker.state.tasks.get(self.name)
        if task is None or task.state == "cancelled":
            raise Cancelled(self.name)
        now = time.monotonic()
        if now - self.said >= 0.1:
            self.said = now
            said = {**self.event, "fraction": min(max(float(fraction), 0.0), 1.0)}
            self.worker.log_event(self.topic, said | ({"preview": preview()} if preview else {}))

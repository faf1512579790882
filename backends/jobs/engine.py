"""Jobs: submit, progress, result, on dask.distributed. Loads no torch.

With no address, one worker process is started on this machine at the first job; with `VITRINE_SCHEDULER`
the jobs go to that cluster. A job is known by the key of its request, so the same question asked by
many is computed once, and an answer that the store holds needs no worker at all.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
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
from backends.errors import Cancelled, Refused, Unsettled
from backends.jobs import cluster
from backends.requests import key_of
from backends.results import Result
from backends.store import Store

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

log = logging.getLogger("vitrine.engine")

PATIENCE = 30.0
"""Seconds of silence after which a browser tab counts as closed."""

REMEMBERED = 60.0
"""Seconds for which the end of a job is kept in memory; what it computed stays in the store."""

FAULT = "this failed in Vitrine itself, not through what you asked; the server's log has the details"
LOST = "the connection to the workers broke off while this was computed; ask again"
MOST = 1000
"""Jobs that are known at a time, waiting ones included."""

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
class _Job:
    """One request under way. `owners` maps each browser tab to when it was last heard of."""

    key: str
    request: dict[str, Any]
    priority: int
    number: int
    owners: dict[str, float]
    name: str
    state: State = State("waiting")
    asked: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0
    waiting: int = 0
    process: int | None = None
    future: Future | None = None


class Engine:
    """Runs jobs and knows how they stand. Every method may be called from any thread and returns at once, but `wait`.

    `perform` is the import path of what a worker does with a request; see `backends.jobs.worker`.
    An owner is a browser tab: a job goes on while one of its owners wants it, and an owner not heard
    of for `patience` seconds (three times that once a job is four minutes old) wants nothing.
    """

    def __init__(
        self,
        store: Store,
        address: str | None = None,
        perform: str = "backends.jobs.worker:perform",
        patience: float = PATIENCE,
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
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._warming: Future | None = None
        self._refused: tuple[float, Refused] | None = None
        self._ended: Counter[str] = Counter()

    def submit(self, request: Mapping[str, Any], owner: str, priority: int = 0) -> str:
        """Ask for `request` on behalf of `owner`; returns its key. Work with a lower `priority` waits longer.

        A job that is under way is joined; one that failed or was cancelled starts anew. Raises
        `Refused` when the request is not plain JSON, or far too much is waiting already.
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
            self._make_room()
            number = next(self._numbers)
            name = f"{self._topic}-{number}"
            job = _Job(key, dict(request), priority, number, {owner: time.monotonic()}, name)
            self._jobs[key] = job
        self._call(partial(self._dispatch, job))
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
        if self._client is None and self._refused:
            return str(self._refused[1])
        return "" if self._workers() else "no worker is there yet"

    def _workers(self) -> int:
        """How many workers are there, as far as is known without asking anybody."""
        client, local = self._client, self._cluster
        if client is None or client.status != "running":
            return 0
        if local is not None:
            return sum(worker.status.name == "running" for worker in list(local.workers.values()))
        with contextlib.suppress(Exception):
            known = client._scheduler_identity
            return int(known.get("n_workers", len(known.get("workers", {}))))
        return 0

    def warm(self) -> None:
        """Start the worker and its heavy imports in the background, so that the first job need not wait for them."""
        self._call(self._warm)

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

    def _make_room(self) -> None:
        """Forget the oldest ends when very many jobs are known."""
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
        """Take the job from the cluster; a worker that is at it notices at its next step."""
        if job.future is not None:
            job.future.cancel()

    def _landed(self, job: _Job, future: Future) -> None:
        """The cluster is done with the job, in whatever way."""
        if job.state.final:
            return
        try:
            outcome = future.result(timeout=30)
        except BaseException as error:  # dask's cancellation is no Exception
            self._end(job, "failed", _in_words(error))
            if job.state.message == FAULT:
                log.error("job %s failed", job.key, exc_info=error)
            return
        if outcome["trace"]:
            log.error("job %s (%s) failed\n%s", job.key, _in_short(job.request), outcome["trace"])
        self._end(job, outcome["status"], outcome["message"], bool(outcome.get("again", True)))

    def _heard(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Progress from a worker."""
        _, said = event
        with self._lock:
            job = self._jobs.get(said["key"])
            if job is None or job.name != said["name"] or job.state.final:
                return
            again = job.process is not None and job.process != said["process"]
            job.process = said["process"]
            message = "the worker process died; computing it again" if again else job.state.message
            if job.state.status == "waiting":
                message = ""
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
        while not self._closing.wait(min(5.0, self.patience / 4)):
            self.sweep()

    def _dispatch(self, job: _Job) -> None:
        """Hand a job to the cluster, starting or finding that first."""
        if job.state.final:
            return
        try:
            client = self._connected()
            if self.address and not client.scheduler_info()["workers"]:
                self._say(job, f"waiting for a worker to join {self.address}")
            work = (self.perform, job.request, job.key, job.name, str(self.store.root), self.store.limit, self._topic)
            job.future = client.submit(_work, *work, key=job.name, priority=job.priority, pure=False)
        except Refused as refusal:
            self._end(job, "failed", str(refusal))
        except Exception:
            if not self._closing.is_set():
                log.exception("job %s could not be handed to a worker", job.key)
            self._end(job, "failed", FAULT)
        else:
            job.future.add_done_callback(partial(self._landed, job))
            if job.state.final:  # cancelled meanwhile
                job.future.cancel()

    def _warm(self) -> None:
        try:
            client = self._connected()
            self._warming = client.submit(_import, self.perform, key=f"{self._topic}-warm", priority=100)
        except Refused as refusal:
            log.warning("%s", refusal)

    def _connected(self) -> Client:
        """The client of a cluster that works; a broken one is replaced. Raises `Refused` when there is none."""
        if not self._healthy():
            self._disconnect()
            if self._refused and time.monotonic() - self._refused[0] < cluster.CONNECTING:
                raise self._refused[1]  # many jobs do not wait in turn for a scheduler that is not there
            try:
                if self.address:
                    self._client = cluster.connect(self.address)
                else:
                    self._cluster, self._client = cluster.start()
            except Refused as refusal:
                self._refused = time.monotonic(), refusal
                raise
            self._client.subscribe_topic(self._topic, self._heard)
            atexit.unregister(self.close)
            atexit.register(self.close)  # after dask's own, so it runs first: that waits 4 s for a running job
        assert self._client is not None
        return self._client

    def _healthy(self) -> bool:
        if self._client is None or self._client.status != "running":
            return False
        if self._cluster is None:
            return bool(self.address)
        nannies = [worker.status.name for worker in self._cluster.workers.values()]
        return self._cluster.status.name == "running" and "running" in nannies

    def _disconnect(self) -> None:
        client, local = self._client, self._cluster
        self._client = self._cluster = self._warming = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if client is not None:
                with contextlib.suppress(Exception):
                    client.close(timeout=1)
            if local is not None:
                cluster.stop(local)


def _in_words(error: BaseException) -> str:
    """The sentence for a job that the cluster could not carry out."""
    from distributed import KilledWorker
    from distributed.scheduler import NoValidWorkerError

    if isinstance(error, KilledWorker):
        times = {1: "once", 2: "twice"}.get(error.allowed_failures + 1, f"{error.allowed_failures + 1} times")
        return (
            f"the worker process died {times} while computing this, most often because memory ran out; "
            "try a shorter input, a smaller model or fewer samples"
        )
    if isinstance(error, NoValidWorkerError):
        return "no worker has been there to compute this for a while; start one, then ask again"
    if type(error).__name__ in ("FutureCancelledError", "CancelledError", "CommClosedError", "TimeoutError"):
        return LOST
    return FAULT


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

    `again` is False where the request itself was refused: it would be refused another time.
    """
    store = Store(root, limit)
    try:
        if not store.has(key):  # another engine may have been faster
            step = _Step(key, name, topic)
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
        again = isinstance(refusal, Unsettled)
        return {"status": "failed", "message": str(refusal), "trace": "", "again": again}
    except MemoryError:
        message = "memory ran out while computing this; try a shorter input, a smaller model or fewer samples"
        return {"status": "failed", "message": message, "trace": traceback.format_exc()}
    except Exception:
        return {"status": "failed", "message": FAULT, "trace": traceback.format_exc()}


class _Step:
    """The `step` of a method on a worker: progress out, at most ten times a second, and `Cancelled` in."""

    def __init__(self, key: str, name: str, topic: str) -> None:
        from distributed import get_worker

        self.worker = get_worker()
        self.name, self.topic = name, topic
        self.event = {"key": key, "name": name, "process": os.getpid()}
        self.said = 0.0
        self(0.0)

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

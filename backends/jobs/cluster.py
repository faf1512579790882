"""The dask cluster that jobs run on: the one that an engine starts for itself, one elsewhere, and the keys of both.

Dask runs whatever code its ports are sent, so no port is open to whom did not get the keys: the embedded cluster makes
its own, which stand in memory only; one elsewhere has them in the folder `VITRINE_TLS`, or is on loopback. Loads no
torch.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends import settings
from backends.errors import Refused, Unsettled

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Nanny, Worker
    from distributed.security import Security

log = logging.getLogger("vitrine.engine")

SILENT = logging.CRITICAL + 1

CONNECTING = 10.0
"""Seconds given to an external scheduler to answer."""

JOINING = 2.0
"""Seconds between two tries of a worker to join a scheduler that went away."""

NOTICED = 1.0
"""Seconds until a death is logged: a program that is ended with its workers says nothing."""
REPLACED = 8.0
"""Seconds for which a worker of one's own may be missing before another is started in its place."""

PORT = 8786
"""Where a scheduler listens unless told otherwise."""

CERTIFICATE, KEY = "cert.pem", "key.pem"
"""The files of a folder of keys: one pair, which everything that belongs to the cluster shows and asks for."""

PRELOAD = ["backends.jobs.cluster", "backends.jobs.engine"]
"""What a new worker process imports before it takes work."""

KEYS_LAST = 3650
"""Days for which keys are good."""

SETTINGS: dict[str, Any] = {
    "distributed.worker.profile.enabled": False,  # samples the stack a hundred times a second
    "distributed.scheduler.worker-ttl": None,  # a worker deep in one long operation is not dead
    "distributed.scheduler.http.routes": [],  # nobody reads dask's pages here
    "distributed.worker.http.routes": [],
    # measured: dask's threshold makes torch 1.5 to 1.9 times slower on a CPU, every large tensor being mapped anew
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # dask would set these to 1, for many workers on one machine; here one worker has it to itself
    "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": None,
    "distributed.nanny.pre-spawn-environ.MKL_NUM_THREADS": None,
    "distributed.nanny.pre-spawn-environ.OPENBLAS_NUM_THREADS": None,
}


# Keys


def make_keys(folder: Path) -> Path:
    """Make the keys of a cluster in `folder`, readable by their owner only, and return it.

    Raises `Refused` where keys are there already, or the folder cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vitrine")])
    now = datetime.datetime.now(tz=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(days=1))  # clocks differ between machines
    made = made.not_valid_after(now + datetime.timedelta(days=KEYS_LAST))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, content in ((KEY, private), (CERTIFICATE, made.sign(key, hashes.SHA256()).public_bytes(pem))):
            with os.fdopen(os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
                written.write(content)
    except FileExistsError:
        raise Refused(f"there are keys in {folder} already; name another folder, or delete those first") from None
    except OSError as error:
        raise Refused(f"no keys can be written to {folder}: {error.strerror}") from None
    return folder


def open_keys(folder: Path) -> Security:
    """Return the security of a cluster whose keys are in `folder`. Raises `Refused` where they are not."""
    import ssl

    from distributed.security import Security

    try:
        certificate, key = ((folder / file).read_text() for file in (CERTIFICATE, KEY))
        shown = {f"tls_{role}_{part}": text for role in ("client", "scheduler", "worker")
                 for part, text in (("cert", certificate), ("key", key))}  # fmt: skip
        security = Security(require_encryption=True, tls_ca_file=certificate, **shown)
        security.get_connection_args("client")
    except (OSError, ValueError, ssl.SSLError) as error:
        raise Refused(
            f"VITRINE_TLS names {folder}, and no keys can be read there ({error}): "
            "make them with `python app.py keys DIR`, and copy that folder to each machine of the cluster"
        ) from None
    return security


def guarded(address: str) -> Security | None:
    """Return the security with which to speak to the scheduler at `address`; None for a plain one on loopback.

    Raises `Refused` for a plain address beyond loopback, and for a guarded one without keys.
    """
    scheme, _, place = address.rpartition("://")
    if scheme not in ("", "tcp", "tls") or not place:
        raise Refused(f"{address[:200]!r} is no address of a scheduler; such are tls://HOST:{PORT}")
    keys = settings.value("VITRINE_TLS")
    if scheme == "tls":
        if not keys:
            raise Refused(f"{address[:200]} asks for keys: set VITRINE_TLS to the folder that `app.py keys DIR` made")
        return open_keys(Path(keys).expanduser())
    if not on_loopback(place):
        raise Refused(
            f"{address[:200]} is beyond this machine and asks for no keys, and whoever reaches a scheduler runs code "
            "on its workers: make keys with `python app.py keys DIR`, copy DIR to each machine, set VITRINE_TLS to it, "
            f"and use tls://{place[:200]}"
        )
    return None


def on_loopback(place: str) -> bool:
    """Whether the host of `place`, HOST or HOST:PORT, is this machine under an address that others do not reach."""
    host = place.removeprefix("[").partition("]")[0] if place.startswith("[") else place.partition(":")[0]
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
        return bool(found) and all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)
    except (OSError, ValueError):
        return False


# Why a worker died


@dataclass(frozen=True)
class Death:
    """How a worker process ended: its exit code, negative for a signal; None where nobody saw it."""

    code: int | None = None
    memory: bool = False
    """Whether the kernel ended it because memory ran out."""

    @property
    def cause(self) -> str:
        """What is known of the cause, after “the worker process died”."""
        if self.memory:
            return "the kernel ended it because memory ran out"
        if self.code is None:
            return "nothing says why"
        if self.code >= 0:
            return f"it ended with code {self.code}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-self.code).name
            did = "it crashed" if name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT") else "it was killed"
            return f"{did} (signal {-self.code}, {name})"
        return f"it was killed (signal {-self.code})"


class MemoryKills:
    """How many processes the kernel ended for want of memory, where the memory of this one is counted."""

    def __init__(self, count: Callable[[], int] | None = None) -> None:
        self._count = count or memory_kills
        self._looks: deque[int] = deque([self._count()], maxlen=6)

    def look(self) -> None:
        """Note the count; called each second, so that only a kill of the last seconds is blamed."""
        self._looks.append(self._count())

    def blamed(self, code: int) -> bool:
        """Whether a process that just ended with `code` was ended for want of memory; each kill is blamed once."""
        if code != -signal.SIGKILL or self._count() <= self._looks[0]:
            return False
        self._looks = deque([self._looks[0] + 1], maxlen=6)
        return True


def memory_kills(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the kernel's count of processes ended for want of memory in this control group, else on this machine."""
    with contextlib.suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds in ("", "memory"):
                file = "memory/{}/memory.oom_control" if kinds else "{}/memory.events"
                for place in (path.strip("/"), ""):  # a container sees its own group as the root
                    found = _counted(groups / file.format(place).lstrip("/"))
                    if found is not None:
                        return found
    return _counted(proc / "vmstat") or 0


def _counted(file: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


# The cluster of one engine


class Embedded:
    """Worker processes on this machine, which only this process has the keys of. Raises `Refused` when none starts.

    At first there is one; `grow` starts the others, `size` in all. Each has a place: 0, 1, …
    """

    def __init__(self, size: int) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise Refused(
                'the main script starts a job while it is imported: put that under `if __name__ == "__main__":`'
            )
        self.size = size
        self.kills = MemoryKills()
        self._deaths: dict[str, Death] = {}
        self._ending = False
        self._lacking: dict[int, float] = {}
        self._patience: dict[int, float] = {}
        self._grown = size == 1
        self.local, self.client = self._started()

    def _started(self) -> tuple[LocalCluster, Client]:
        import dask.config
        from distributed import Client, LocalCluster
        from distributed.deploy import Cluster
        from distributed.security import Security

        hush()
        options: dict[str, Any] = {
            "n_workers": 1,
            "threads_per_worker": 1,
            "processes": True,
            "host": "127.0.0.1",
            "dashboard_address": None,
            "silence_logs": SILENT,
            "memory_limit": 0,
            "preload": PRELOAD,
            "worker_class": _nanny(self._died),
            "security": Security.temporary(),
            # without a port of its own, the scheduler serves pages at 8787 and warns where that is taken
            "scheduler_kwargs": {"allowed_failures": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
        }
        for last in (False, True):  # the first may have been killed
            try:
                with dask.config.set(SETTINGS):
                    local = LocalCluster(**options)
                    # of a worker that takes long to come back dask would let go
                    local._update_worker_status = partial(  # type: ignore[method-assign] # no option for it
                        Cluster._update_worker_status, local
                    )
                    return local, Client(local, set_as_default=False)
            except Exception as error:
                if last:
                    log.exception("the worker process did not start")
                    raise Unsettled("the worker process could not be started; the server's log says why") from error
        raise AssertionError

    def healthy(self) -> bool:
        """Whether its scheduler works; workers may be missing."""
        return self.client.status == "running" and self.local.status.name == "running"

    def workers(self) -> dict[str, int]:
        """The addresses of the workers that are there, each with its place."""
        scheduler = self.local.scheduler
        known = scheduler.workers if scheduler is not None else {}
        nannies = list(self.local.workers.items())
        return {nanny.worker_address: place for place, nanny in nannies if nanny.worker_address in known}

    def processes(self) -> dict[str, int]:
        """The process numbers of the workers that are there, by address."""
        nannies = list(self.local.workers.values())
        return {nanny.worker_address: nanny.pid for nanny in nannies if nanny.worker_address and nanny.pid}

    def grow(self) -> None:
        """Start those workers that are not there from the start."""
        if not self._grown:
            self._grown = True
            for place in range(1, self.size):
                self._replace(place)

    def tend(self) -> None:
        """Replace workers that are gone for good at once, and those that are missing for long; called each second."""
        self.kills.look()
        there, now = self.workers(), time.monotonic()
        for place in range(self.size if self._grown else 1):
            if place in there.values():
                self._lacking.pop(place, None)
                self._patience.pop(place, None)
                continue
            nanny = self.local.workers.get(place)
            since, patience = now - self._lacking.setdefault(place, now), self._patience.setdefault(place, REPLACED)
            if nanny is None or nanny.status.name in ("closed", "failed"):
                self._replace(place)
            elif since > patience * (2 if nanny.is_alive() else 1):  # a process may still become the worker
                self._patience[place] = min(2 * patience, 120.0)  # perhaps this machine is slow
                log.warning("worker %d is missing; another is started in its place", place)
                self._replace(place)

    @property
    def _loop(self) -> Any:
        """What the cluster runs in: an `IOLoop` over asyncio."""
        return self.local.loop

    def _replace(self, place: int) -> None:
        """Start a worker at `place`, in the background, instead of the one that is there."""
        self._lacking[place] = time.monotonic()
        asyncio.run_coroutine_threadsafe(self._start_at(place), self._loop.asyncio_loop)

    async def _start_at(self, place: int) -> None:
        spec, before, scheduler = self.local.new_spec, self.local.workers.get(place), self.local.scheduler
        assert scheduler is not None
        nanny = spec["cls"](scheduler.address, **{**spec["options"], "name": place})
        self.local.workers[place] = nanny
        self.local.worker_spec.setdefault(place, spec)
        self.local._created.add(nanny)
        if before is not None:
            with contextlib.suppress(Exception):
                closing = asyncio.ensure_future(before.close(timeout=1))
                await asyncio.sleep(0)  # it is marked now, and starts no other process
                if before.pid:
                    os.kill(before.pid, signal.SIGKILL)
                await asyncio.wait_for(closing, 2)
        with contextlib.suppress(Exception):  # then the next look replaces it
            await nanny

    def end(self, worker: str) -> None:
        """End a worker at once, whatever it is at; another takes its place."""
        process = self.processes().get(worker)
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def held(self, worker: str) -> int:
        """The bytes of memory that a worker's process holds; 0 where nobody knows."""
        import psutil

        process = self.processes().get(worker)
        with contextlib.suppress(psutil.Error):
            return psutil.Process(process).memory_info().rss if process else 0
        return 0

    def death(self, worker: str) -> Death:
        """How the worker of this address died; waits for that to be known, a second at most."""
        for _ in range(20):
            if worker in self._deaths:
                break
            time.sleep(0.05)
        return self._deaths.get(worker, Death())

    def _died(self, worker: str | None, code: int) -> None:
        death = Death(code, self.kills.blamed(code))
        self._loop.call_later(NOTICED, self._tell, death)
        if worker:
            self._deaths[worker] = death
            while len(self._deaths) > 100:
                del self._deaths[next(iter(self._deaths))]

    def _tell(self, death: Death) -> None:
        """Log a death, unless this program is ending itself: one signal ended both then, and the worker sooner."""
        if not self._ending:
            log.warning("a worker process died: %s", death.cause)

    def close(self) -> None:
        """End the worker processes and what serves them, within about three seconds."""
        from distributed.core import Status

        self._ending = True
        with contextlib.suppress(Exception):
            self.client.close(timeout=1)
        with contextlib.suppress(Exception):
            self.local.sync(self._end_all, callback_timeout=3)
        try:
            self.local.close(timeout=1)
        except Exception:  # its scheduler is gone, and it would wait for that for ever
            self.local.status = Status.closed
            with contextlib.suppress(Exception):
                self.local._loop_runner.stop()

    async def _end_all(self) -> None:
        """End all worker processes: 0.8 s of grace, then a kill; those that are only starting are killed at once."""
        from distributed.core import Status

        self.local.worker_spec.clear()  # so that none is made any more
        nannies = [nanny for nanny in self.local._created if nanny.status not in (Status.closed, Status.failed)]
        closing = [asyncio.ensure_future(nanny.close(timeout=1)) for nanny in nannies]
        pending: set[Any] = set(closing)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=0.1)
            for nanny in nannies:
                if nanny.process is not None and nanny.process.status == Status.starting and nanny.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(nanny.pid, signal.SIGKILL)


def _nanny(died: Callable[[str | None, int], None]) -> type[Nanny]:
    """Return a nanny that tells how its worker process died, and starts another until one works."""
    import dask.config
    from distributed import Nanny
    from distributed.core import Status

    class Watching(Nanny):
        replacing = False

        def __init__(self, *arguments: Any, **options: Any) -> None:
            with dask.config.set(SETTINGS):  # which it hands on to its worker
                super().__init__(*arguments, **options)

        async def instantiate(self) -> Status:
            if self.status in (Status.closing, Status.closed):
                raise RuntimeError("closed before its process was started")
            return await super().instantiate()

        def _on_worker_exit_sync(self, exitcode: int) -> None:
            if self.status == Status.running:
                died(self.worker_address, exitcode)
            super()._on_worker_exit_sync(exitcode)

        async def _on_worker_exit(self, exitcode: int) -> None:
            if self.status != Status.running:
                await super()._on_worker_exit(exitcode)
                return
            if self.replacing:  # it died while it started: the loop below sees that
                return
            self.replacing = True
            try:
                with contextlib.suppress(OSError, asyncio.TimeoutError):
                    await asyncio.wait_for(self._unregister(timeout=2), 3)
                while self.status == Status.running:
                    self.process = None  # dask's own would be started again while half-way through its first start
                    with contextlib.suppress(Exception):
                        if await self.instantiate() == Status.running:
                            return
                    await asyncio.sleep(0.2)
            finally:
                self.replacing = False

    return Watching


# A cluster elsewhere


class Remote:
    """The workers of a scheduler elsewhere. Raises `Refused` when none answers, or it is not guarded."""

    def __init__(self, address: str) -> None:
        self.client = connect(address)
        self._there: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._there)

    def healthy(self) -> bool:
        """Whether the connection stands."""
        return self.client.status == "running"

    def workers(self) -> dict[str, int]:
        """The addresses of the workers that are there, each with its place."""
        with contextlib.suppress(Exception):
            self.client.sync(self.client._update_scheduler_info, n_workers=-1, callback_timeout=5)
            self._there = {name: i for i, name in enumerate(sorted(self.client._scheduler_identity["workers"]))}
        return dict(self._there)

    def grow(self) -> None:
        """Nothing: who runs the cluster starts its workers."""

    def tend(self) -> None:
        """Nothing: who runs the cluster tends it."""

    def end(self, worker: str) -> None:
        """Have a worker's nanny end its process and start another; returns before that has happened."""
        options = {"workers": [worker], "timeout": 20, "raise_for_error": False}
        threading.Thread(target=self._restart, kwargs=options, daemon=True).start()

    def _restart(self, **options: Any) -> None:
        with contextlib.suppress(Exception):
            self.client.restart_workers(**options)

    def held(self, worker: str) -> int:
        """0: the memory of another machine's process is not known here."""
        return 0

    def death(self, worker: str) -> Death:
        """How the worker of this address died, which is not known here."""
        return Death()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(Exception):
            self.client.close(timeout=1)


def connect(address: str) -> Client:
    """Return a client of the scheduler at `address`. Raises `Refused` when none answers, or it is not guarded."""
    from distributed import Client

    security = guarded(address)
    hush()
    try:
        return Client(address, timeout=CONNECTING, set_as_default=False, security=security)
    except (OSError, ValueError) as error:
        raise Unsettled(
            f"no scheduler answers at {address[:200]} ({type(error).__name__}): start one with "
            "`python app.py scheduler`, or unset VITRINE_SCHEDULER to compute on this machine"
        ) from error


def schedule(host: str, port: int) -> None:
    """Serve a scheduler at `host` and `port` until stopped: with the keys of `VITRINE_TLS` where there are some.

    Raises `Refused` beyond loopback without keys, and where the address cannot be served on.
    """
    import dask.config
    from distributed import Scheduler

    security = guarded(f"{'tls' if settings.value('VITRINE_TLS') else 'tcp'}://{_place(host, port)}")
    hush()

    async def serve() -> None:
        options: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0", "allowed_failures": 0}
        scheduler = await Scheduler(host=host, port=port, security=security, protocol=_protocol(security), **options)
        print(f"a scheduler is at {scheduler.address}  (Ctrl-C stops it)", flush=True)
        await scheduler.finished()

    with dask.config.set(SETTINGS):
        try:
            asyncio.run(serve())
        except (OSError, RuntimeError) as error:
            raise Unsettled(f"no scheduler can be served at {_place(host, port)}: {error}") from None


def work_for(address: str) -> None:
    """Join the cluster at `address` as one worker process with one thread, until stopped.

    Where the scheduler goes away, it is joined again once it is back.
    Raises `Refused` when no scheduler answers there at first, or the address is not guarded.
    """
    import dask.config

    security = guarded(address)
    hush()

    def died(_: str | None, code: int) -> None:
        print(f"the worker process died: {Death(code).cause}; another is started", file=sys.stderr, flush=True)

    async def join() -> Nanny:
        options: dict[str, Any] = {"memory_limit": 0, "dashboard": False, "preload": PRELOAD, "host": _facing(address)}
        nanny = _nanny(died)(address, nthreads=1, security=security, protocol=_protocol(security), **options)
        async with asyncio.timeout(CONNECTING):
            await nanny.start()
        return nanny

    async def serve() -> None:
        nanny = await join()
        while True:
            await nanny.finished()  # its scheduler is gone
            print(f"{address} is gone; this worker joins it again once it answers", file=sys.stderr, flush=True)
            while nanny.status.name != "running":
                await asyncio.sleep(JOINING)
                with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                    nanny = await join()
            print(f"working for {address} again", flush=True)

    with dask.config.set({**SETTINGS, "distributed.comm.timeouts.connect": "5s"}):
        try:
            asyncio.run(serve())
        except (OSError, TimeoutError, RuntimeError):
            raise Unsettled(
                f"no scheduler answers at {address}; start `python app.py scheduler` there first, with the same keys"
            ) from None


def _facing(address: str) -> str:
    """The address of this machine on the way to the scheduler at `address`, where that asks for answers.

    Raises `OSError` where there is no way to it.
    Left alone, dask's worker asks for the way to 8.8.8.8: without one to there, nobody could fetch what it computed.
    """
    from distributed.comm import get_address_host
    from distributed.comm.addressing import unparse_host_port

    family, kind, _, _, place = socket.getaddrinfo(get_address_host(address), PORT, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as way:
        way.connect(place)  # sends nothing
        return str(unparse_host_port(way.getsockname()[0]))


def _protocol(security: Security | None) -> str:
    return "tls://" if security else "tcp://"


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def hush() -> None:
    """Silence dask's own reports of what reaches people as sentences: lost connections, workers that died."""
    for name in ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(SILENT)


def dask_setup(worker: Worker) -> None:
    """Called by dask in a new worker process that preloads this module: Ctrl-C is the parent's business."""
    hush()
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

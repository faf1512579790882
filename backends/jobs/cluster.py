"""The dask cluster that jobs run on: the one that an engine starts for itself, one elsewhere, and the keys of both.

Dask runs whatever code its ports are sent, so no port is open to whom did not get the keys: the embedded cluster makes
its own, which stand in memory only; one elsewhere has them in the folder `VITRINE_TLS`, or is on loopback. Loads no
torch.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import logging
import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends import settings
from backends.errors import Refused, Unsettled

if TYPE_CHECKING:
    from distributed import Client, LocalCluster, Worker
    from distributed.security import Security

log = logging.getLogger("vitrine.engine")

SILENT = logging.CRITICAL + 1

CONNECTING = 10.0
"""Seconds given to an external scheduler to answer."""

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
    "distributed.scheduler.no-workers-timeout": "120s",
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


# The cluster of one engine


def start() -> tuple[LocalCluster, Client]:
    """Start one worker process on this machine, which only this process has the keys of."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise Refused('the main script starts a job while it is imported: put that under `if __name__ == "__main__":`')
    import dask.config
    from distributed import Client, LocalCluster
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
        "security": Security.temporary(),
        # without a port of its own, the scheduler serves pages at 8787 and warns where that is taken
        "scheduler_kwargs": {"allowed_failures": 1, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    with dask.config.set(SETTINGS):
        try:
            cluster = LocalCluster(**options)
        except Exception as error:
            log.exception("the worker process did not start")
            raise Unsettled("the worker process could not be started; the server's log says why") from error
        return cluster, Client(cluster, set_as_default=False)


def stop(cluster: LocalCluster) -> None:
    """End the worker process and what serves it, within about three seconds."""
    from distributed.core import Status

    for nanny in list(cluster.workers.values()):
        with contextlib.suppress(Exception):
            cluster.sync(nanny.close, timeout=1, callback_timeout=3)  # 0.8 s of grace, then a kill
    try:
        cluster.close(timeout=1)
    except Exception:  # its scheduler is gone, and it would wait for that for ever
        cluster.status = Status.closed
        with contextlib.suppress(Exception):
            cluster._loop_runner.stop()


# A cluster elsewhere


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
    import asyncio

    import dask.config
    from distributed import Scheduler

    security = guarded(f"{'tls' if settings.value('VITRINE_TLS') else 'tcp'}://{_place(host, port)}")
    hush()

    async def serve() -> None:
        options: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0", "allowed_failures": 1}
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

    Raises `Refused` when no scheduler answers there, or the address is not guarded.
    """
    import asyncio

    import dask.config
    from distributed import Nanny

    security = guarded(address)
    hush()

    async def serve() -> None:
        options: dict[str, Any] = {"memory_limit": 0, "dashboard": False, "preload": PRELOAD}
        nanny = Nanny(address, nthreads=1, security=security, protocol=_protocol(security), **options)
        async with asyncio.timeout(CONNECTING):
            await nanny.start()
        await nanny.finished()

    with dask.config.set({**SETTINGS, "distributed.comm.timeouts.connect": "5s"}):
        try:
            asyncio.run(serve())
        except (OSError, TimeoutError, RuntimeError):
            raise Unsettled(
                f"no scheduler answers at {address}; start `python app.py scheduler` there first, with the same keys"
            ) from None


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

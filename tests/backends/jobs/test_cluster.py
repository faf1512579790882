"""The cluster that jobs run on: who has not its keys is refused, and who has them is served."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backends.errors import Refused
from backends.jobs import cluster
from backends.jobs.engine import Engine
from backends.store import Store

ROOT = Path(__file__).parents[3]
PERFORM = "tests.backends.performers:perform"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(Store(tmp_path_factory.mktemp("store")), perform=PERFORM)
    engine.wait(engine.submit({"do": "answer", "n": "first"}, "tab"), 60)
    yield engine
    engine.close()


def listening() -> set[int]:
    """The ports on which this process and its children listen."""
    me = psutil.Process()
    return {
        c.laddr.port for p in (me, *me.children(recursive=True)) for c in p.net_connections()
        if c.status == psutil.CONN_LISTEN
    }  # fmt: skip


def refused(address: str, security: Any = None) -> bool:
    """Whether whoever speaks dask's protocol gets no word at `address`: what a client does first."""
    from distributed.comm import connect

    async def greeted() -> None:
        arguments = security.get_connection_args("client") if security else {}
        comm = await asyncio.wait_for(connect(address, timeout=2, **arguments), 2)
        comm.abort()

    try:
        asyncio.run(greeted())
    except (OSError, TimeoutError, ValueError):
        return True
    return False


def test_whoever_has_no_keys_or_others_is_refused_at_every_port(engine: Engine) -> None:
    from distributed import Client
    from distributed.security import Security

    ports = listening()
    assert len(ports) >= 3, "the scheduler, the nanny and the worker"
    for port in ports:
        assert refused(f"tcp://127.0.0.1:{port}"), "a plain client"
        assert refused(f"tls://127.0.0.1:{port}", Security.temporary()), "one with keys of its own"
    assert isinstance(engine._cluster, cluster.Embedded)
    address = engine._cluster.local.scheduler_address
    with pytest.raises(OSError, match="Reset"):
        Client(address.replace("tls", "tcp"), timeout=2, set_as_default=False)
    with pytest.raises(OSError, match="certificate does not match"):
        Client(address, timeout=2, set_as_default=False, security=Security.temporary())
    assert not refused(address, engine._cluster.local.security), "the right keys open it"
    assert engine.wait(engine.submit({"do": "answer", "n": "still"}, "tab"), 30).status == "done"


def test_keys_are_their_owners_only_and_are_not_overwritten(tmp_path: Path) -> None:
    folder = cluster.make_keys(tmp_path / "new" / "keys")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert [f.name for f in files] == ["cert.pem", "key.pem"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert cluster.open_keys(folder).require_encryption
    with pytest.raises(Refused, match="there are keys in"):
        cluster.make_keys(folder)


@pytest.mark.parametrize(
    "address", ["tcp://192.0.2.7:8786", "192.0.2.7:8786", "0.0.0.0:8786", "tcp://nowhere.invalid:1"]
)
def test_beyond_this_machine_nothing_is_spoken_without_keys(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRINE_TLS", raising=False)
    with pytest.raises(Refused, match=r"beyond this machine and asks for no keys.*app\.py keys DIR.*use tls://"):
        cluster.guarded(address)
    with pytest.raises(Refused, match="beyond this machine"):
        cluster.connect(address)
    with pytest.raises(Refused, match="beyond this machine"):
        cluster.work_for(address)


def test_addresses_and_their_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRINE_TLS", raising=False)
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1"):
        assert cluster.guarded(address) is None
    with pytest.raises(Refused, match="is no address of a scheduler"):
        cluster.guarded("http://127.0.0.1:1")
    with pytest.raises(Refused, match="asks for keys: set VITRINE_TLS"):
        cluster.guarded("tls://192.0.2.7:8786")
    monkeypatch.setenv("VITRINE_TLS", str(tmp_path))
    with pytest.raises(Refused, match="no keys can be read there"):
        cluster.guarded("tls://192.0.2.7:8786")
    cluster.make_keys(tmp_path)
    assert cluster.guarded("tls://192.0.2.7:8786") is not None
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Refused, match="no keys can be read there"):
        cluster.guarded("tls://192.0.2.7:8786")


def test_a_worker_listens_where_its_scheduler_is() -> None:
    assert cluster._facing("tls://127.0.0.1:8786") == "127.0.0.1"
    assert cluster._facing("tcp://[::1]:8786") == "[::1]"


def started(words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "app.py", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **environment}, cwd=ROOT, start_new_session=True,
    )  # fmt: skip


def until_answered(far: Engine) -> None:
    """Ask until a worker answers, a minute at most."""
    for n in range(60):
        if far.wait(far.submit({"do": "answer", "n": n}, "tab"), 20).status == "done":
            return
        time.sleep(1)
    pytest.fail("no worker joined the new scheduler")


def test_keys_a_scheduler_and_a_worker_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = str(tmp_path / "keys")
    made = started(["keys", keys], {})
    assert "set VITRINE_TLS to it there" in made.communicate(timeout=60)[0]
    guarded = {"VITRINE_TLS": keys, "PYTHONPATH": str(ROOT)}
    scheduler = started(["scheduler", "--port", "0"], guarded)
    processes = [scheduler]
    try:
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().split()[4]
        assert address.startswith("tls://127.0.0.1:")
        processes.append(started(["worker", "--scheduler", address], guarded))
        monkeypatch.setenv("VITRINE_TLS", keys)
        far = Engine(Store(tmp_path / "store"), address=address, perform=PERFORM)
        assert far.wait(far.submit({"do": "answer"}, "tab"), 60).status == "done"
        assert refused(address.replace("tls", "tcp"))
        scheduler.kill()  # and another in its place, which the worker joins by itself
        scheduler.wait(10)
        processes.append(started(["scheduler", "--port", address.rpartition(":")[2]], guarded))
        assert processes[-1].stdout is not None
        assert address in processes[-1].stdout.readline()
        until_answered(far)
        monkeypatch.setenv("VITRINE_TLS", str(cluster.make_keys(tmp_path / "others")))
        monkeypatch.setattr(cluster, "CONNECTING", 1)
        with pytest.raises(Refused, match="no scheduler answers"):
            cluster.connect(address)
        far.close()
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_a_scheduler_beyond_this_machine_wants_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITRINE_TLS", raising=False)
    with pytest.raises(Refused, match="beyond this machine"):
        cluster.schedule("0.0.0.0", 0)


# Why a worker died


@pytest.mark.parametrize(
    ("code", "memory", "cause"),
    [
        (-9, False, "it was killed (signal 9, SIGKILL)"),
        (-9, True, "the kernel ended it because memory ran out"),
        (-11, False, "it crashed (signal 11, SIGSEGV)"),
        (-15, False, "it was killed (signal 15, SIGTERM)"),
        (3, False, "it ended with code 3"),
        (None, False, "nothing says why"),
    ],
)
def test_each_cause_has_its_words(code: int | None, memory: bool, cause: str) -> None:
    assert cluster.Death(code, memory).cause == cause


GROUPS = {
    "memory.events of a group": ("0::/a/b\n", "a/b/memory.events", "low 0\noom 3\noom_kill 7\noom_group_kill 1\n"),
    "memory.events of a container": ("0::/../c\n", "memory.events", "oom 9\noom_kill 7\n"),
    "the first version's": ("4:memory:/a\n0::/\n", "memory/a/memory.oom_control", "under_oom 0\noom_kill 7\n"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_kernel_counts_who_was_ended_for_memory(tmp_path: Path, name: str) -> None:
    group, file, content = GROUPS[name]
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(group)
    (proc / "vmstat").write_text("nr_free_pages 5\noom_kill 2\n")
    assert cluster.memory_kills(proc, groups) == 2, "where no group counts, the machine does"
    (groups / file).parent.mkdir(parents=True, exist_ok=True)
    (groups / file).write_text(content)
    assert cluster.memory_kills(proc, groups) == 7


def test_memory_is_blamed_only_where_the_kernel_counted_a_kill_just_now() -> None:
    counts = [4]
    kills = cluster.MemoryKills(lambda: counts[0])
    assert not kills.blamed(-9), "killed by somebody"
    counts[0] = 5
    assert not kills.blamed(-11), "a crash is no want of memory"
    assert kills.blamed(-9)
    assert not kills.blamed(-9), "one kill is blamed for one death"
    counts[0] = 6
    for _ in range(6):
        kills.look()
    assert not kills.blamed(-9), "that kill was of another process, a while ago"


def trackers() -> set[psutil.Process]:
    """Python's own helper process, which stays as long as this one."""
    return {c for c in psutil.Process().children() if "resource_tracker" in " ".join(c.cmdline())}


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_closed_while_a_worker_starts_nothing_stays_behind(seconds: float) -> None:
    before = set(psutil.Process().children(recursive=True))
    both = cluster.Embedded(2)
    both.grow()
    time.sleep(seconds)
    started = time.monotonic()
    both.close()
    assert time.monotonic() - started < 5
    deadline = time.monotonic() + 5
    while left := set(psutil.Process().children(recursive=True)) - before - trackers():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


WANT = """
import os, sys, tempfile
from pathlib import Path

from backends.jobs.engine import Engine
from backends.store import Store


def main():
    (Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
    engine = Engine(Store(tempfile.mkdtemp()), perform="tests.backends.performers:perform", workers=1)
    engine._most_bytes = 2**40
    for do in ("grow", "die"):
        print(engine.wait(engine.submit({"do": do}, "tab"), 100).message, flush=True)
    engine.close()


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def narrow() -> Iterator[Path]:
    """A control group with room for 700 MB, where this machine lets one be made."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    mine = {kinds: path.strip("/") for _, kinds, path in lines}
    first = "memory" in mine
    group = Path(
        "/sys/fs/cgroup", *(["memory", mine["memory"]] if first else [mine.get("", "")]), f"want-{os.getpid()}"
    )
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(700 * 2**20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
def test_a_true_want_of_memory_is_said_and_a_kill_is_not_taken_for_one(narrow: Path, tmp_path: Path) -> None:
    (tmp_path / "want.py").write_text(WANT)
    command, environment = [sys.executable, "want.py", str(narrow)], {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=True
    )
    grown, died = said.stdout.splitlines()
    assert "the kernel ended it because memory ran out; try a shorter input" in grown
    assert "twice while computing this: it was killed (signal 9, SIGKILL)" in died

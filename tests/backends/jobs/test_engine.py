"""The engine with a real worker process: each question is computed once, and every ending is a result or a sentence."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backends.errors import Refused
from backends.jobs import cluster
from backends.jobs import engine as module
from backends.jobs.engine import AGAIN, FAULT, GONE, LOST, Engine, State, _work
from backends.requests import key_of
from backends.store import Store

ROOT = Path(__file__).parents[3]
PERFORM = "tests.backends.performers:perform"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(Store(tmp_path_factory.mktemp("store")), perform=PERFORM, workers=1)
    engine.wait(engine.submit({"do": "answer", "n": "first"}, "tab"), 60)
    yield engine
    engine.close()


@pytest.fixture
def count(tmp_path: Path) -> Path:
    return tmp_path / "count"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def ask(engine: Engine, seconds: float = 30, **request: Any) -> State:
    return engine.wait(engine.submit(request, "tab"), seconds)


def until(claim: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def running(engine: Engine, key: str) -> bool:
    return engine.state(key).status == "running"


def show(name: str, seconds: float) -> None:
    print(f"[engine] {name}: {seconds:.3f} s")


def test_a_document(engine: Engine) -> None:
    key = engine.submit({"do": "answer", "n": 7}, "tab")
    state = engine.wait(key, 30)
    assert (state.status, state.fraction, state.message) == ("done", 1.0, "")
    assert state.seconds < 10
    document = engine.store.get_document(key)
    assert document["answer"] == 7
    assert document["process"] != os.getpid()


def test_a_result(engine: Engine) -> None:
    request = {"do": "result", "model": "m", "n": 1}
    assert ask(engine, **request).status == "done"
    assert engine.store.get_result(key_of(request)).arrays["x"].tolist() == [0, 1, 2]


def test_progress(engine: Engine) -> None:
    key = engine.submit({"do": "sleep", "seconds": 0.5, "n": "progress"}, "tab")
    seen = []
    while not (state := engine.wait(key, 0.05)).final:
        seen.append((state.status, state.fraction))
    fractions = [fraction for status, fraction in seen if status == "running"]
    assert fractions == sorted(fractions)
    assert 3 <= len(set(fractions)) <= 8, "about ten a second"
    assert state.status == "done"


def test_what_there_is_so_far_reaches_the_page(engine: Engine) -> None:
    key = engine.submit({"do": "show"}, "tab")
    until(lambda: engine.state(key).preview)
    first = list(engine.state(key).preview["rows"])  # dask makes tuples of lists
    assert first == list(range(len(first)))
    until(lambda: len(engine.state(key).preview["rows"]) > len(first))
    engine.cancel(key, "tab")
    assert engine.state(key).status == "cancelled"
    assert engine.wait(engine.submit({"do": "answer", "n": "after"}, "tab"), 5).status == "done"


def test_thirty_two_ask_the_same(engine: Engine, count: Path) -> None:
    request = {"do": "sleep", "seconds": 0.3, "count": str(count)}
    states: list[State] = []
    gate = threading.Barrier(32)

    def one(tab: int) -> None:
        gate.wait()
        key = engine.submit(request, f"tab {tab}")
        state = engine.wait(key, 30)
        assert engine.store.get_document(key) == {"slept": 0.3}
        states.append(state)

    started = time.monotonic()
    threads = [threading.Thread(target=one, args=(tab,)) for tab in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    show("32 identical jobs of 0.3 s", time.monotonic() - started)
    assert lines(count) == 1
    assert [s.status for s in states] == ["done"] * 32


def test_a_kept_answer_needs_no_worker(engine: Engine) -> None:
    assert ask(engine, do="answer", n="kept").status == "done"
    other = Engine(engine.store, perform=PERFORM)
    started = time.perf_counter()
    key = other.submit({"n": "kept", "do": "answer"}, "tab")
    state = other.wait(key, 30)
    show("answer kept in the store", time.perf_counter() - started)
    assert state == State("done", 1.0)
    assert other._cluster is None
    assert not other._threads
    other.close()


def test_cancel_frees_the_worker(engine: Engine) -> None:
    long = engine.submit({"do": "sleep", "seconds": 60}, "tab")
    until(lambda: running(engine, long))
    following = engine.submit({"do": "answer", "n": "after a cancel"}, "tab")
    assert engine.state(following) == State("waiting", 0.0, "waiting: 1 before this one", pytest.approx(0, abs=1))
    started = time.monotonic()
    engine.cancel(long, "tab")
    assert engine.state(long).status == "cancelled"
    assert engine.wait(following, 30).status == "done"
    seconds = time.monotonic() - started
    show("cancel to the next job's answer", seconds)
    assert seconds < 1.5


def test_cancelled_before_it_began(engine: Engine, count: Path) -> None:
    long = engine.submit({"do": "sleep", "seconds": 60}, "tab")
    until(lambda: running(engine, long))
    key = engine.submit({"do": "answer", "count": str(count)}, "tab")
    engine.cancel(key, "tab")
    engine.cancel(long, "tab")
    assert engine.wait(key, 5).status == "cancelled"
    assert ask(engine, do="answer", n="behind").status == "done"
    assert lines(count) == 0
    assert ask(engine, do="answer", count=str(count)).status == "done", "it can be asked for again"
    assert lines(count) == 1


def test_it_goes_on_while_one_owner_wants_it(engine: Engine, count: Path) -> None:
    request = {"do": "sleep", "seconds": 0.5, "count": str(count)}
    key = engine.submit(request, "first")
    assert engine.submit(request, "second") == key
    until(lambda: running(engine, key))
    engine.cancel(key, "first")
    engine.cancel(key, "first")
    engine.cancel(key, "a stranger")
    assert engine.wait(key, 30).status == "done"
    assert lines(count) == 1
    both = engine.submit({**request, "n": 2, "seconds": 60}, "first")
    engine.submit({**request, "n": 2, "seconds": 60}, "second")
    engine.cancel(both, "second")
    assert not engine.state(both).final
    engine.cancel(both, "first")
    assert engine.state(both).status == "cancelled"


def test_silent_owners_are_dropped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = engine.submit({"do": "sleep", "seconds": 60, "n": "silent"}, "gone")
    engine.submit({"do": "sleep", "seconds": 60, "n": "silent"}, "there")
    until(lambda: running(engine, key))
    monkeypatch.setattr(engine, "patience", 0.3)
    for _ in range(5):
        time.sleep(0.1)
        engine.touch(key, "there")
        engine.touch(key, "a stranger")
        engine.sweep()
    assert running(engine, key)
    assert list(engine._jobs[key].owners) == ["there"]
    time.sleep(0.4)
    engine.sweep()
    assert engine.state(key).status == "cancelled"
    monkeypatch.undo()
    assert ask(engine, do="answer", n="after the silent").status == "done"


def test_a_hidden_tab_may_be_silent_for_longer_in_a_long_job(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = engine.submit({"do": "sleep", "seconds": 60, "n": "hidden"}, "tab")
    job = engine._jobs[key]
    monkeypatch.setattr(job, "asked", job.asked - 300)
    job.owners["tab"] -= 70
    engine.sweep()
    assert not engine.state(key).final
    job.owners["tab"] -= 70
    engine.sweep()
    assert engine.state(key).status == "cancelled"


def test_the_timer_sweeps_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_fill", lambda self: None)
    lonely = Engine(Store(tmp_path), perform=PERFORM, patience=0.2)
    key = lonely.submit({"do": "answer"}, "tab")
    watched = lonely.submit({"do": "answer", "n": 2}, "tab")
    assert lonely.wait(watched, 1).status == "waiting", "who waits is there"
    assert lonely.state(key).status == "cancelled"
    lonely.close()


def test_only_what_may_go_well_another_time_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Step:
        """There is no worker to report to."""

        def __init__(self, *_: object) -> None: ...

        def __call__(self, fraction: float) -> None: ...

        def end(self) -> None: ...

    monkeypatch.setattr("backends.jobs.engine._Step", Step)

    def ended(do: str) -> dict[str, Any]:
        return _work(PERFORM, {"do": do}, "a" * 64, "n", str(tmp_path), 10**9, "t")

    assert ended("refuse")["again"] is False
    assert ended("wait")["again"] is True
    assert ended("break").get("again", True)  # a fault of Vitrine's own
    assert Engine(Store(tmp_path)).state("b" * 64).again  # what is not kept any more


def test_a_refusal_reaches_the_person(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    state = ask(engine, do="refuse")
    assert (state.status, state.message) == ("failed", "no model 'resnet'; there are: a, b")
    assert not caplog.records, "it is nobody's bug"


@pytest.mark.parametrize(("do", "trace"), [("break", "ZeroDivisionError: a secret detail"), ("nonsense", "ValueError")])
def test_a_fault_is_a_sentence_and_the_log_has_the_trace(
    engine: Engine, caplog: pytest.LogCaptureFixture, do: str, trace: str
) -> None:
    state = ask(engine, do=do, model="m", text="private")
    assert (state.status, state.message) == ("failed", FAULT)
    assert trace in caplog.text
    assert "model m" in caplog.text
    assert "private" not in caplog.text


def test_a_performer_that_is_not_there(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "perform", "tests.backends.performers:nothing")
    assert ask(engine, do="answer", n="nobody").message == FAULT


def test_a_full_disk_on_the_worker(engine: Engine) -> None:
    state = ask(engine, do="full")
    assert state.status == "failed"
    assert state.message.startswith(f"the disk that holds {engine.store.root} is full")


def test_a_request_that_is_not_json(engine: Engine) -> None:
    with pytest.raises(Refused, match="a request holds plain JSON values only"):
        engine.submit({"x": float("nan")}, "tab")


def test_a_failure_can_be_tried_again(engine: Engine, count: Path) -> None:
    for attempt in (1, 2):
        assert ask(engine, do="refuse", count=str(count)).status == "failed"
        assert lines(count) == attempt


def test_what_is_neither_computed_nor_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.state("f" * 64) == State("failed", message=GONE, again=True)
    assert engine.wait("f" * 64, 5) == State("failed", message=GONE, again=True)
    assert "is not a key" in engine.state("../x").message
    ask(engine, do="refuse", n="forgotten")
    key = key_of({"do": "refuse", "n": "forgotten"})
    engine.sweep()
    assert engine.state(key).message != GONE
    monkeypatch.setattr(module, "REMEMBERED", 0.0)
    engine.sweep()
    assert engine.state(key).message == GONE
    assert not any(job.state.final for job in engine._jobs.values())


def test_an_evicted_answer_is_computed_again(engine: Engine, count: Path) -> None:
    request = {"do": "answer", "count": str(count)}
    assert ask(engine, **request).status == "done"
    (engine.store.root / "documents" / f"{key_of(request)}.json").unlink()
    assert ask(engine, **request).status == "done"
    assert lines(count) == 2


def test_not_endlessly_many_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_fill", lambda self: None)
    monkeypatch.setattr(module, "MOST", 8)
    full = Engine(Store(tmp_path), perform=PERFORM)
    keys = [full.submit({"n": n}, "tab") for n in range(8)]
    with pytest.raises(Refused, match="8 jobs are waiting already; try again when some of them are done"):
        full.submit({"n": 8}, "tab")
    assert full.submit({"n": 3}, "other tab") == keys[3], "joining is always possible"
    full.cancel(keys[0], "tab")
    full.submit({"n": 8}, "tab")
    full.close()


def test_background_work_lets_others_pass(engine: Engine, count: Path) -> None:
    long = engine.submit({"do": "sleep", "seconds": 60, "n": "priority"}, "tab")
    until(lambda: running(engine, long))
    background = engine.submit({"do": "sleep", "seconds": 30}, "tab", priority=-10)
    asked = engine.submit({"do": "answer", "n": "foreground"}, "tab")
    engine.cancel(long, "tab")
    assert engine.wait(asked, 10).status == "done"
    engine.cancel(background, "tab")


def test_a_worker_killed_once_computes_again(engine: Engine, tmp_path: Path) -> None:
    started = time.monotonic()
    key = engine.submit({"do": "die", "once": str(tmp_path / "once")}, "tab")
    state, messages = State("waiting"), set()
    while not state.final:
        state = engine.wait(key, 0.01)
        messages.add((state.status, state.message))
    show("worker killed once, to the result", time.monotonic() - started)
    assert state.status == "done"
    assert engine.store.get_document(key) == {"survived": True}


def test_a_worker_killed_always_is_a_sentence(engine: Engine) -> None:
    started = time.monotonic()
    key = engine.submit({"do": "die"}, "tab")
    state, said = State("waiting"), set()
    while not state.final:
        state = engine.wait(key, 0.02)
        said.add((state.status, state.message))
    show("worker killed always, to the sentence", time.monotonic() - started)
    assert ("running", "the worker process died; computing it again") in said
    assert state.status == "failed"
    assert state.message.startswith(
        "the worker process died twice while computing this: it was killed (signal 9, SIGKILL); ask again"
    ), "and nothing of memory, which was not the cause"
    assert ask(engine, do="answer", n="after the dead").status == "done"
    show("worker killed always, to the next job's answer", time.monotonic() - started)


def test_a_lost_cluster_is_started_again(engine: Engine) -> None:
    key = engine.submit({"do": "sleep", "seconds": 60, "n": "lost"}, "tab")
    until(lambda: running(engine, key))
    assert isinstance(engine._cluster, cluster.Embedded)
    local = engine._cluster.local
    local.sync(local.scheduler.close)
    until(lambda: engine.state(key).message in (LOST, AGAIN), 30)  # whatever is noticed first
    engine.cancel(key, "tab")
    started = time.monotonic()
    assert ask(engine, do="answer", n="after the lost").status == "done"
    show("start of the worker and its first answer", time.monotonic() - started)


def test_the_worker_is_left_its_threads_and_memory(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(engine, do="look")
    seen = engine.store.get_document(key_of({"do": "look"}))
    mine = {n: os.environ[n] for n in ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_") if n in os.environ}
    assert seen["environment"] == mine, "dask's own settings slow torch down"


def test_nothing_starts_when_the_main_script_is_imported_by_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiprocessing.process._current_process._inheriting", True, raising=False)
    child = Engine(Store(tmp_path), perform=PERFORM)
    assert "put that under `if __name__" in ask(child, do="answer").message
    child.close()


def test_a_worker_that_does_not_start_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("distributed.LocalCluster", broken)
    stuck = Engine(Store(tmp_path), perform=PERFORM)
    stuck.warm()
    states = [ask(stuck, do="answer", n=n) for n in range(3)]
    assert {s.message for s in states} == {"the worker process could not be started; the server's log says why"}
    assert caplog.text.count("the worker process did not start") == 1, "it is not tried again for each job"
    stuck.close()


def test_no_scheduler_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECTING", 0.5)
    monkeypatch.setenv("VITRINE_SCHEDULER", "tcp://127.0.0.1:9")
    alone = Engine(Store(tmp_path), perform=PERFORM)
    state = ask(alone, do="answer")
    assert state.status == "failed"
    assert state.message.startswith("no scheduler answers at tcp://127.0.0.1:9")
    alone.close()
    with pytest.raises(Refused, match="Vitrine is being stopped"):
        alone.submit({"do": "answer", "n": 2}, "tab")


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.readline()
        cluster.scale(1)
        sys.stdin.read()
"""

MAIN = """
import os, signal, sys, threading, time
from pathlib import Path

here = Path(sys.argv[1])
with open(here / "imports", "a") as file:
    file.write(f"{__name__} {os.getpid()}\\n")


def main():
    if sys.argv[2] == "terminated":  # as app.py does
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from backends.jobs.engine import Engine
    from backends.store import Store

    early = {"torch", "distributed", "dask"} & set(sys.modules)
    engine = Engine(Store(here / "store"), perform="tests.backends.performers:perform", workers=1)
    engine.warm()
    key = engine.submit({"do": "answer", "count": str(here / "count")}, "tab")
    state = engine.wait(key, 60)
    engine.wait(engine.submit({"do": "look", "n": os.getpid()}, "tab"), 60)
    worker = next(iter(engine._cluster.processes().values()))
    long = engine.submit({"do": "sleep", "seconds": 60, "n": os.getpid()}, "tab")
    while engine.state(long).status != "running":
        time.sleep(0.01)
    late = {"torch"} & set(sys.modules)
    print(state.status, engine.store.get_document(key)["answer"], worker, sorted(early | late), flush=True)
    how = sys.argv[2]
    if how == "closes":
        engine.close()
        import psutil
        left = [c for c in psutil.Process().children(recursive=True) if "resource_tracker" not in str(c.cmdline())]
        print(left, flush=True)
        sys.stdin.readline()
    elif how != "returns":
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print("interrupted", flush=True)


if __name__ == "__main__":
    main()
"""


def _spawn(folder: Path, name: str, script: str, *args: str) -> subprocess.Popen[str]:
    path = folder / name
    if not path.exists():  # another process may be reading it
        path.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::ResourceWarning"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, str(path), *args], stdin=pipe, stdout=pipe, stderr=pipe, text=True,
        env=environment, cwd=folder, start_new_session=True,
    )  # fmt: skip


def test_an_external_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECTING", 2)
    far_off = _spawn(tmp_path, "cluster.py", CLUSTER, "0")
    try:
        assert far_off.stdout is not None
        assert far_off.stdin is not None
        address = far_off.stdout.readline().strip()
        far = Engine(Store(tmp_path / "store"), address=address, perform=PERFORM)
        key = far.submit({"do": "answer"}, "tab")
        until(lambda: far.state(key).message == f"waiting for a worker to join {address}")
        far_off.stdin.write("a worker\n")
        far_off.stdin.flush()
        assert far.wait(key, 30).status == "done"
        long = far.submit({"do": "sleep", "seconds": 60}, "tab")
        until(lambda: running(far, long))
        far.cancel(long, "tab")
        started = time.monotonic()
        assert ask(far, do="answer", n=2).status == "done"
        assert time.monotonic() - started < 1.5
        assert isinstance(far._cluster, cluster.Remote)
        again = far.submit({"do": "sleep", "seconds": 60, "n": 2}, "tab")
        until(lambda: running(far, again))
        os.killpg(far_off.pid, signal.SIGKILL)
        assert far.wait(again, 20).message == LOST
        assert ask(far, do="answer", n=3).message.startswith("no scheduler answers")
        started = time.monotonic()
        far.close()
        assert time.monotonic() - started < 5
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(far_off.pid, signal.SIGKILL)
        far_off.communicate()


ENDINGS = {"returns": None, "closes": None, "terminated": signal.SIGTERM, "interrupted": signal.SIGINT, "killed": None}


def test_five_processes_on_one_store_and_nothing_stays_behind(tmp_path: Path) -> None:
    mains = {how: _spawn(tmp_path, "main.py", MAIN, str(tmp_path), how) for how in ENDINGS}
    try:
        workers = {how: _started(main) for how, main in mains.items()}
        for how, main in mains.items():
            _ends(main, how, workers[how])
    finally:
        for main in mains.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(main.pid, signal.SIGKILL)
            main.communicate()
    assert 1 <= lines(tmp_path / "count") <= 5
    imports = [line.split() for line in (tmp_path / "imports").read_text().splitlines()]
    assert sorted({name for name, _ in imports}) == ["__main__", "__mp_main__"]
    assert sum(name == "__main__" for name, _ in imports) == 5, "a worker imports the main script, but does not run it"


def _started(main: subprocess.Popen[str]) -> int:
    """Check what a process says once its job runs; returns the process number of its worker."""
    assert main.stdout is not None
    said = main.stdout.readline().split(maxsplit=3)
    assert said[:2] == ["done", "42"], main.communicate()
    assert said[3].strip() == "[]", "the web process loads no torch, and dask not before the first job"
    return int(said[2])


def _ends(main: subprocess.Popen[str], how: str, worker: int) -> None:
    """Have a process end in this way, and check that it does so quickly, quietly and with its worker."""
    started = time.monotonic()
    if how == "closes":
        assert main.stdout is not None
        assert main.stdout.readline().strip() == "[]", "no child process is left after close"
        assert not psutil.pid_exists(worker)
    elif how == "killed":
        main.kill()
    elif ENDINGS[how]:
        os.killpg(main.pid, ENDINGS[how])  # as a terminal does: the worker gets it too
    out, err = main.communicate(input="\n", timeout=30)
    until(lambda: not psutil.pid_exists(worker), 5)
    seconds = time.monotonic() - started
    show(f"a process {how} with a job running", seconds)
    assert seconds < 5
    if how != "killed":  # Python's own resource tracker then says what it cleans up
        assert err == "", "no noise in the server's log"
        assert main.returncode == 0
    assert out == ("interrupted\n" if how == "interrupted" else "")


def test_nobody_else_can_reach_it(engine: Engine) -> None:
    me = psutil.Process()
    ports = [
        c for p in (me, *me.children(recursive=True)) for c in p.net_connections() if c.status == psutil.CONN_LISTEN
    ]
    assert len(ports) >= 3
    assert {c.laddr.ip for c in ports} == {"127.0.0.1"}, "from this machine only, and with keys: see test_cluster"


def test_close_is_quick_and_refuses_what_follows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    short = Engine(Store(tmp_path), perform=PERFORM, workers=1)
    started = time.monotonic()
    assert ask(short, do="answer").status == "done"
    show("start of the worker and its first answer", time.monotonic() - started)
    assert isinstance(short._cluster, cluster.Embedded)
    worker = next(iter(short._cluster.processes().values()))
    key = short.submit({"do": "sleep", "seconds": 60}, "tab")
    until(lambda: running(short, key))
    started = time.monotonic()
    short.close()
    short.close()
    show("close with a job running", time.monotonic() - started)
    assert time.monotonic() - started < 5
    assert short.state(key) == State(
        "cancelled", pytest.approx(0, abs=1), "Vitrine is being stopped", pytest.approx(0, abs=30), again=True
    )
    assert not psutil.pid_exists(worker)
    with pytest.raises(Refused, match="Vitrine is being stopped"):
        short.submit({"do": "answer", "n": 2}, "tab")
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]

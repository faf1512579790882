"""The engine under load: workers that are killed again and again, and a class of thirty that asks all at once."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backends.jobs import cluster
from backends.jobs.engine import LOST, Engine
from backends.store import Store
from tests.backends.jobs.test_engine import PERFORM, show, until

TRUE = re.compile(
    r"the worker process died twice while computing this: it was killed \(signal 9, SIGKILL\); ask again.*"
)
"""The only sentence that is true of a job whose worker was killed."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Store(tmp_path / "store"), perform=PERFORM, workers=2)
    engine.warm()
    engine.wait(engine.submit({"do": "answer", "n": "first"}, "tab"), 60)
    until(lambda: engine._cluster is not None and len(engine._cluster.workers()) == 2, 60)
    yield engine
    engine.close()


class Seen:
    """What the users of a test saw, from many threads."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._lock = threading.Lock()
        self.over = threading.Event()

    def note(self, how: str, said: str = "", seconds: float = 0.0) -> None:
        with self._lock:
            self.ends[how] += 1
            self.seconds.append(seconds)
            if said:
                self.said[said] += 1


def together(works: list[Any], seen: Seen) -> list[threading.Thread]:
    def guarded(work: Any) -> None:
        try:
            work()
        except Exception as error:
            seen.note(f"EXCEPTION {type(error).__name__}: {error}"[:200])

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    return threads


def worker_processes() -> list[psutil.Process]:
    """The processes of workers, also of those that are only starting."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.Error:
            continue
    return found


def asks(engine: Engine, seen: Seen, user: int) -> None:
    """A user who asks for one job after another, and checks each answer."""
    chance, n = random.Random(user), 0
    while not seen.over.is_set():
        n += 1
        request: dict[str, Any] = {"do": "answer", "n": f"{user} {n}"}
        if n % 3:
            request = {"do": "sleep", "seconds": round(chance.uniform(0.05, 1.5), 3), "n": f"{user} {n}"}
        state = engine.wait(key := engine.submit(request, f"user {user}"), 120)
        if state.status == "done":
            document = engine.store.get_document(key)
            right = document.get("answer", document.get("slept")) == request.get("seconds", request["n"])
            seen.note("done" if right else "WRONG", seconds=state.seconds)
        else:
            seen.note(state.status if state.final else "HUNG", state.message)


def clicks(engine: Engine, seen: Seen) -> None:
    """Somebody who clicks all the time."""
    n = 0
    while not seen.over.is_set():
        n += 1
        started = time.monotonic()
        while engine.wait(engine.submit({"do": "answer", "n": f"click {n}"}, "clicks"), 120).status != "done":
            assert time.monotonic() - started < 120
        seen.note("click", seconds=time.monotonic() - started)


@pytest.mark.parametrize(("kills", "most"), [(5, 30.0), pytest.param(100, 150.0, marks=pytest.mark.slow)])
def test_workers_are_killed_again_and_again(engine: Engine, kills: int, most: float) -> None:
    users, prober, chance, killed = Seen(), Seen(), random.Random(4), 0
    threads = together([lambda u=u: asks(engine, users, u) for u in range(4)], users)
    threads += together([lambda: clicks(engine, prober)], prober)
    began, outages = time.monotonic(), [0.0]
    while killed < kills and time.monotonic() - began < most:
        if there := worker_processes():
            chance.choice(there).kill()
            killed += 1
        if chance.random() < 1 / 3:  # the next one comes while a new worker starts, or just after
            time.sleep(chance.uniform(0, 2))
        else:
            last = time.monotonic()
            while engine.wait(engine.submit({"do": "answer", "n": f"after {killed}"}, "probe"), 120).status != "done":
                assert time.monotonic() - last < 120
            outages.append(time.monotonic() - last)
            until(lambda: engine._cluster is not None and len(engine._cluster.workers()) == 2, 120)
            time.sleep(chance.uniform(0, 0.5))
    users.over.set()
    prober.over.set()
    for thread in threads:
        thread.join(130)
    assert not any(thread.is_alive() for thread in threads)
    ended, longest = dict(users.ends), max(outages)
    print(f"[engine] {killed} kills in {time.monotonic() - began:.0f} s: {ended}, {sum(prober.ends.values())} clicks")
    show("the longest outage, from the last kill to an answer", longest)
    show("the longest wait of a click, over kills in a row", max(prober.seconds))
    assert killed >= 5
    assert set(users.ends) <= {"done", "failed"}
    assert set(prober.ends) == {"click"}
    false = [said for said in users.said if not TRUE.fullmatch(said) and said != LOST]
    assert not false
    assert longest < 20 * slowness()


def slowness() -> float:
    """How much slower a worker starts here and now than on a quiet machine, where it takes 2.5 seconds; at least 1."""
    started = time.monotonic()
    one = cluster.Embedded(1)
    seconds = time.monotonic() - started
    one.close()
    return max(1.0, seconds / 2.5)


@pytest.mark.parametrize(("owners", "seconds"), [(12, 4.0), pytest.param(30, 60.0, marks=pytest.mark.slow)])
def test_a_class_asks_at_once_and_nobody_sees_anothers_answer(engine: Engine, owners: int, seconds: float) -> None:
    seen = Seen()

    def sits(owner: int) -> None:
        """A tab that asks for its own texts and common ones, cancels some, and compares what it gets."""
        chance, tab, n = random.Random(owner), f"tab {owner}", 0
        while not seen.over.is_set():
            n += 1
            text = f"private {owner} {n}" if chance.random() < 0.7 else f"common {chance.randrange(30)}"
            key = engine.submit({"do": "echo", "model": "m", "text": text}, tab)
            if chance.random() < 0.1:
                engine.cancel(key, tab)
                continue
            state = engine.wait(key, 120)
            if state.status != "done":
                seen.note(state.status if state.final else "HUNG", state.message)
                continue
            result = engine.store.get_result(key)
            right = result.arrays["x"].tobytes().decode() == text == result.request["text"]
            seen.note("right" if right else "MIXED", seconds=state.seconds)

    threads = together([lambda o=o: sits(o) for o in range(owners)], seen)
    time.sleep(seconds)
    seen.over.set()
    for thread in threads:
        thread.join(130)
    assert not any(thread.is_alive() for thread in threads)
    order = sorted(seen.seconds)
    print(f"[engine] {owners} tabs for {seconds:g} s: {dict(seen.ends)}, {dict(seen.said)}")
    show("their answers' 95th percentile", order[int(0.95 * len(order))])
    assert seen.ends["right"] > owners
    assert set(seen.ends) == {"right"}

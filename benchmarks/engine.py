"""The job system: 32 identical requests, cancel, a killed worker, a cached answer. `python -m benchmarks.engine`."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path

import psutil

from backends import catalog
from backends.jobs.engine import Engine
from backends.requests import Run
from backends.store import Store

IMAGE = "bundled/radiograph"


def request(engine: Engine, method: str, **options: object) -> dict[str, object]:
    """A job on the radiograph's first example."""
    source = catalog.resolve(IMAGE)
    example = source.path / catalog.card(IMAGE)["examples"][0]["input"]  # type: ignore[operator]
    digest = engine.store.put_input({"image": example})
    named = {"model": source.name, "revision": source.revision, "input": digest}
    return Run(method=method, options=options, target=None, **named).plain()


def finished(engine: Engine, asked: dict[str, object], owner: str) -> tuple[str, float]:
    """How a job ended, and after how many seconds."""
    start = time.perf_counter()
    key = engine.submit(asked, owner)
    state = engine.wait(key, 300)
    return state.status, time.perf_counter() - start


def identical(engine: Engine, count: int) -> dict[str, object]:
    """`count` browsers ask the same thing at once."""
    asked = request(engine, "occlusion", size=8, stride=2)
    ends: list[tuple[str, float]] = []
    threads = [threading.Thread(target=lambda i=i: ends.append(finished(engine, asked, str(i)))) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = finished(engine, {**asked, "options": {"size": 8, "stride": 3}}, "alone")[1]
    got = sum(status == "done" for status, _ in ends)
    return {"answered": got, "of": count, "seconds": max(s for _, s in ends), "one_like_it_seconds": one}


def cancelled(engine: Engine) -> dict[str, object]:
    """From cancelling a long job to the end of the short one behind it."""
    key = engine.submit(request(engine, "shapley_sampling", orders=100, square=4), "long")
    while engine.state(key).status != "running":
        time.sleep(0.01)
    time.sleep(1)
    start = time.perf_counter()
    engine.cancel(key, "long")
    status, _ = finished(engine, request(engine, "saliency"), "short")
    return {"next_job": status, "seconds": time.perf_counter() - start}


def killed(engine: Engine) -> dict[str, object]:
    """The worker gets SIGKILL in the middle of a job."""
    key = engine.submit(request(engine, "shapley_sampling", orders=40), "kill")
    while engine.state(key).status != "running":
        time.sleep(0.01)
    start = time.perf_counter()
    workers = [p for p in psutil.Process().children(recursive=True) if p.memory_info().rss > 2e8]
    for worker in workers:
        worker.kill()
    state = engine.wait(key, 300)
    return {
        "killed": len(workers),
        "end": state.status,
        "sentence": state.message,
        "seconds": time.perf_counter() - start,
    }


def cached(engine: Engine, repeats: int = 50) -> dict[str, object]:
    """An answer that the store holds."""
    asked = request(engine, "saliency")
    finished(engine, asked, "first")
    times = sorted(finished(engine, asked, str(i))[1] for i in range(repeats))
    return {"median_ms": 1e3 * times[repeats // 2], "worst_ms": 1e3 * times[-1]}


def main() -> None:
    """Print one JSON line a case."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Store(Path(folder)))
        try:
            start = time.perf_counter()
            finished(engine, request(engine, "hires_cam"), "warm")
            print(json.dumps({"case": "first job, worker started for it", "seconds": time.perf_counter() - start}))
            for name, case in (
                ("32 identical", lambda e: identical(e, 32)),
                ("cancel", cancelled),
                ("SIGKILL", killed),
                ("cached", cached),
            ):
                print(json.dumps({"case": name, **case(engine)}), flush=True)
        finally:
            engine.close()


if __name__ == "__main__":
    main()

"""What the engine's tests have a worker do: small, and importable by the worker process."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.errors import Refused, Unsettled
from backends.results import Result


def perform(request: Mapping[str, Any], store_root: str, step: Callable[[float], None]) -> Result | dict[str, Any]:
    """Do what `request["do"]` names; each start leaves a line in the file `request["count"]`, if there is one."""
    if "count" in request:
        with open(request["count"], "a") as file:
            file.write(f"{os.getpid()}\n")
    return globals()[f"do_{request['do']}"](request, step)


def do_answer(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    return {"answer": request.get("n", 42), "process": os.getpid()}


def do_result(request: Mapping[str, Any], step: Callable[[float], None]) -> Result:
    return Result("test", {"x": np.arange(3.0, dtype=np.float32)}, {"x": ("token",)}, request=request)


def do_sleep(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    steps = int(request["seconds"] * 100)
    for i in range(steps):
        step(i / steps)
        time.sleep(0.01)
    return {"slept": request["seconds"]}


def do_show(request: Mapping[str, Any], step: Any) -> dict[str, Any]:
    """Rows come in one by one, each a while after the other."""
    rows: list[int] = []
    for i in range(200):
        rows.append(i)
        step.tell(i / 200, lambda: {"rows": list(rows)})
        time.sleep(0.02)
    return {"rows": rows}


def do_refuse(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    raise Refused("no model 'resnet'; there are: a, b")


def do_wait(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    raise Unsettled("the hub cannot be reached")


def do_break(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    raise ZeroDivisionError("a secret detail")


def do_nonsense(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    return {"bad": float("nan")}


def do_die(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Kill the worker process, each time or, with `once`, only if the file of that name is not there."""
    once = Path(request["once"]) if "once" in request else None
    if once is None or not once.exists():
        if once is not None:
            once.touch()
        step(0.5)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"survived": True}


def do_full(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Answer, on a disk that is full for the next write."""
    write = Path.write_bytes

    def full(*_: object, **__: object) -> int:
        Path.write_bytes = write  # type: ignore[method-assign]
        raise OSError(errno.ENOSPC, "No space left on device")

    Path.write_bytes = full  # type: ignore[method-assign, assignment]
    return {"answer": 42}


def do_look(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """What the worker process is like."""
    names = ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    return {"process": os.getpid(), "environment": {name: os.environ[name] for name in names if name in os.environ}}


def do_stuck(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Hear nothing for a while, as a native call does."""
    step(0.1)
    time.sleep(request["seconds"])
    return {"stuck": request["seconds"]}


def do_pieces(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Make pieces one by one, each kept in the file `pieces`; those that are there are not made again."""
    file = Path(request["pieces"])
    for i in range(request["of"]):
        if i >= (len(file.read_text().splitlines()) if file.exists() else 0):
            step(i / request["of"])
            time.sleep(0.1)
            with file.open("a") as kept:
                kept.write(f"{i}\n")
    return {"pieces": file.read_text().splitlines()}


def do_grow(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Take more and more memory."""
    held = []
    while True:
        step(0.5)
        held.append(b"x" * 2**24)
        time.sleep(0.02)


def do_crowded(request: Mapping[str, Any], step: Callable[[float], None]) -> dict[str, Any]:
    """Need more memory than there is the first time."""
    from backends.errors import Crowded

    if len(Path(request["count"]).read_text().splitlines()) == 1:
        raise Crowded("it needs 9 GB, and cpu has 2 GB free")
    return {"process": os.getpid()}


def do_echo(request: Mapping[str, Any], step: Callable[[float], None]) -> Result:
    """A result that holds the bytes of the request's text, after a while that the text decides."""
    text = request["text"].encode()
    for i in range(sum(text) % 20):
        step(i / 20)
        time.sleep(0.005)
    return Result("echo", {"x": np.frombuffer(text, np.uint8)}, {"x": ("token",)}, request=request)

"""Several machines, as network namespaces of this one: what happens when a link, a worker or a disk fails.

`python -m benchmarks.several_machines` needs Linux, root and `ip`. One namespace each for the scheduler, two workers
and two web processes, joined by a bridge, with keys, over one shared store. Each line of the output is one failure:
what the person at a web process was told, after how many seconds, and when the next answer came.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.errors import Refused

ROOT = Path(__file__).parents[1]
NET = "10.213.7"
PLACES = {"scheduler": 2, "worker1": 3, "worker2": 4, "web1": 5, "web2": 6}
LONG = 20_000
PATIENCE = 100.0
"""Seconds after which an answer that has not come is called silence."""

numbers = itertools.count()


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class Machines:
    """The namespaces, and the programs in them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, {}
        self.store = folder / "store"
        self.settings = os.environ | {
            "VITRINE_TLS": str(folder / "keys"), "VITRINE_STORE": str(self.store), "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "VITRINE_STORE_GB": "1",
        }  # fmt: skip
        self.address = f"tls://{NET}.{PLACES['scheduler']}:8786"

    def build(self) -> None:
        """Lay the bridge and the namespaces."""
        run("ip", "link", "add", "vitrine0", "type", "bridge")
        run("ip", "link", "set", "vitrine0", "up")
        for name, last in PLACES.items():
            run("ip", "netns", "add", f"vitrine-{name}")
            run("ip", "link", "add", f"vt{last}", "type", "veth", "peer", "name", "eth0", "netns", f"vitrine-{name}")
            run("ip", "link", "set", f"vt{last}", "master", "vitrine0", "up")
            inside = ("ip", "-n", f"vitrine-{name}")
            run(*inside, "addr", "add", f"{NET}.{last}/24", "dev", "eth0")
            run(*inside, "link", "set", "eth0", "up")
            run(*inside, "link", "set", "lo", "up")

    def drop(self) -> None:
        """End the programs, and take the namespaces away."""
        for name in list(self.programs):
            self.end(name)
        for name, last in PLACES.items():
            subprocess.run(["ip", "link", "del", f"vt{last}"], capture_output=True)
            subprocess.run(["ip", "netns", "del", f"vitrine-{name}"], capture_output=True)
        subprocess.run(["ip", "link", "del", "vitrine0"], capture_output=True)

    def link(self, name: str, up: bool) -> None:
        """Cut the link of a machine, or mend it."""
        run("ip", "link", "set", f"vt{PLACES[name]}", "up" if up else "down")

    def start(self, name: str, *words: str, said: str = "") -> None:
        """Start a program on a machine, and wait until a line of it has `said`."""
        log = (self.folder / f"{name}.log").open("w")
        self.programs[name] = made = subprocess.Popen(
            ["ip", "netns", "exec", f"vitrine-{name}", sys.executable, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=self.settings, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        assert made.stdout is not None
        while said and said not in (line := made.stdout.readline()):
            assert line, f"{name} ended: {(self.folder / f'{name}.log').read_text()[-2000:]}"

    def end(self, name: str, how: int = signal.SIGKILL) -> None:
        """End all that runs on a machine."""
        made = self.programs.pop(name, None)
        if made is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, how)
            made.wait(20)
        if how == signal.SIGKILL:
            found = subprocess.run(["ip", "netns", "pids", f"vitrine-{name}"], capture_output=True, text=True)
            for process in found.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)

    def work(self, name: str) -> None:
        """Start a worker on a machine."""
        self.start(name, "app.py", "worker", "--scheduler", self.address, said="working for")

    def schedule(self) -> None:
        """Start the scheduler."""
        here = f"{NET}.{PLACES['scheduler']}"
        self.start("scheduler", "app.py", "scheduler", "--host", here, said="a scheduler is at")

    def browse(self, name: str) -> Web:
        """Start a web process' engine on a machine."""
        self.start(name, "-m", "benchmarks.several_machines", "--web", self.address, said="ready")
        return Web(self.programs[name])


class Web:
    """A web process: it is asked, and tells each state with its seconds."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self.program = program
        self.answers: dict[int, dict[str, Any]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.program.stdout is not None
        for line in self.program.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                self.answers[told["n"]] = told

    def ask(self, samples: int = 0, model: str = "bundled/triage") -> int:
        """Ask for something that nobody asked for before; `samples` make it long."""
        n = next(numbers)
        assert self.program.stdin is not None
        self.program.stdin.write(json.dumps({"n": n, "samples": samples, "model": model}) + "\n")
        self.program.stdin.flush()
        return n

    def wait(self, n: int, seconds: float = PATIENCE) -> dict[str, Any]:
        """What became of it."""
        until = time.monotonic() + seconds
        while n not in self.answers and time.monotonic() < until:
            time.sleep(0.05)
        return self.answers.get(n, {"status": "silence", "message": "", "seconds": seconds})


def web(address: str) -> None:
    """The engine of a web process, asked by lines of JSON."""
    from backends import catalog, registry
    from backends.jobs.engine import Engine
    from backends.requests import Run
    from backends.store import Store

    engine = Engine(Store(), address=address)
    print("ready", flush=True)

    def answer(asked: dict[str, Any]) -> None:
        started, n = time.monotonic(), asked["n"]
        method = "lime" if asked["samples"] else "saliency"
        options = registry.method(method).build({"samples": asked["samples"]} if asked["samples"] else {}).options()
        try:
            given = engine.store.put_input({"text": f"no fever but severe chest pain and {'cough ' * (n % 40)}"})
            source = catalog.resolve(asked["model"])
            named = {"model": source.name, "revision": source.revision}
            key = engine.submit(
                Run(**named, method=method, options=options, input=given, target=n % 3).plain(), f"tab{n}"
            )
            state = engine.wait(key, PATIENCE)
            status, message = state.status, state.message
        except Refused as refusal:
            status, message = "refused", str(refusal)
        told = {"n": n, "status": status, "message": message, "seconds": round(time.monotonic() - started, 1)}
        sys.stdout.write(json.dumps(told) + "\n")  # in one piece: many threads answer
        sys.stdout.flush()

    for line in sys.stdin:
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
    engine.close()


@contextlib.contextmanager
def machines() -> Iterator[Machines]:
    """Two workers and their scheduler, which have answered once."""
    with tempfile.TemporaryDirectory(prefix="vitrine") as folder:
        made = Machines(Path(folder))
        made.drop()
        try:
            made.build()
            subprocess.run([sys.executable, "app.py", "keys", str(made.folder / "keys")], check=True, cwd=ROOT)
            made.schedule()
            made.work("worker1")
            made.work("worker2")
            yield made
        finally:
            made.drop()


def tell(failure: str, **figures: Any) -> None:
    print(json.dumps({"case": failure} | figures, ensure_ascii=False), flush=True)


def follow(page: Web, n: int) -> dict[str, Any]:
    """What a job under way came to, and when the next question was answered after that."""
    told = page.wait(n)
    after = page.wait(page.ask())
    names = ("status", "message", "seconds")
    return {"under way": {name: told[name] for name in names}, "next": {name: after[name] for name in names}}


def main() -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        sys.exit("network namespaces need root and the program ip (Debian: apt install iproute2)")
    with machines() as made:
        page, other = made.browse("web1"), made.browse("web2")
        first = [page.wait(page.ask())["status"], other.wait(other.ask())["status"]]
        tell("nothing fails", web_processes=2, workers=2, answers=first)
        for name, harm, mend in (
            ("a worker's program is killed", lambda: made.end("worker1"), lambda: made.work("worker1")),
            ("the link of a worker is cut", lambda: made.link("worker1", False), lambda: made.link("worker1", True)),
            (
                "the link of the scheduler is cut",
                lambda: made.link("scheduler", False),
                lambda: made.link("scheduler", True),
            ),
            ("the link of the web process is cut", lambda: made.link("web1", False), lambda: made.link("web1", True)),
        ):
            long = [page.ask(samples=LONG), page.ask(samples=LONG)]  # one on each worker
            time.sleep(4)
            harm()
            began = time.monotonic()
            said = [follow(page, n) for n in long]
            beside = other.wait(other.ask())
            mended = time.monotonic()
            mend()
            back = page.wait(page.ask())
            tell(
                name,
                jobs=said,
                other_page=beside,
                after_mending=back,
                seconds=[mended - began, time.monotonic() - mended],
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--web"]:
        web(sys.argv[2])
    else:
        main()

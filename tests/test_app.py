"""The app opens light, serves, says what is wrong, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import app

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "captum", "diffusers", "torchvision")

OPEN = """
import sys
from tests.viz.fakes import FakeEngine
from pathlib import Path
import app
made = app.create_app(FakeEngine(Path(sys.argv[1])))
client = made.server.test_client()
for address in ("/", "/_dash-layout", "/_dash-dependencies", "/attribution"):
    assert client.get(address).status_code == 200, address
for page in app.page_modules():
    page.layout()
print([name for name in sys.argv[2].split(",") if name in sys.modules])
"""


def test_the_pages_open_without_loading_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(tmp_path), ",".join(HEAVY)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_pages_are_found_by_file_name_in_their_order() -> None:
    pages = app.page_modules()
    assert [p.PATH for p in pages] == ["/", "/attention", "/attribution", "/trajectory"]
    assert all(p.TITLE and p.QUESTION.endswith("?") for p in pages)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid: int) -> list[int]:
    import psutil

    return [p.pid for p in psutil.Process(pid).children(recursive=True)]


def alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("end", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_serving_ends_with_no_process_left(tmp_path: Path, end: signal.Signals) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=os.environ | {"VITRINE_STORE": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        while "Vitrine is at" not in first and server.poll() is None:
            first = server.stdout.readline()
        assert f"Vitrine is at http://127.0.0.1:{port}" in first
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert b"Vitrine" in answer.read()
        until = time.monotonic() + 60  # the worker process is started in the background
        while not (workers := children(server.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        server.send_signal(end)
        assert server.wait(60) == 0
        time.sleep(0.5)
        assert not [pid for pid in workers if alive(pid)]
        assert "Traceback" not in server.stdout.read()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        if server.stdout:
            server.stdout.close()
        server.wait()


def test_a_port_in_use_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_STORE", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["serve", "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert f"cannot serve on 127.0.0.1:{port}" in said
    assert "set HOST or PORT" in said


def test_refusals_are_one_line_and_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["run", "saliency", "--model", "/nowhere", "--input", "x"]) == 2
    assert capsys.readouterr().err == (
        "'/nowhere' does not exist; give the folder that holds config.json and *.safetensors\n"
    )
    assert app.main(["worker"]) == 2
    assert "no scheduler named; start `dask scheduler`" in capsys.readouterr().err


def test_the_command_line_lists_models_and_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["models"]) == 0
    assert "integrated_gradients" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "command"), [([], "serve"), (["--port", "1"], "serve"), (["models"], "models"), (["worker"], "worker")]
)
def test_serve_is_the_default(words: list[str], command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("serve", "models", "worker"):
        monkeypatch.setattr(app, name, lambda args, name=name: done.append(name) or 0)
    assert app.main(words) == 0
    assert done == [command]

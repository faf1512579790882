"""The app opens light, serves, says what is wrong, and leaves no process behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
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
from viz.pages import page_modules
made = app.create_app(FakeEngine(Path(sys.argv[1])))
client = made.server.test_client()
for address in ("/", "/_dash-layout", "/_dash-dependencies", "/attribution"):
    assert client.get(address).status_code == 200, address
for page in page_modules():
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


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def asked(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a page, asked for with the token."""
    ask = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": "Bearer of-this-test"})
    try:
        with urllib.request.urlopen(ask, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


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
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT,
        env=os.environ | {"VITRINE_STORE": str(tmp_path), "VITRINE_TOKEN": "of-this-test"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        while "Vitrine is at" not in first and server.poll() is None:
            first = server.stdout.readline()
        assert f"Vitrine is at http://127.0.0.1:{port}/?token=of-this-test" in first
        assert b"Vitrine" in asked(port, "/")[1]
        until = time.monotonic() + 60  # the worker process is started in the background
        while not (workers := children(server.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        while asked(port, "/ready")[0] != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert re.search(rb"^vitrine_workers [1-9]", asked(port, "/metrics")[1], re.MULTILINE)
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
    assert "no scheduler named; start `python app.py scheduler`" in capsys.readouterr().err


def test_the_command_line_continues_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "generate",
        "--model",
        "bundled/names",
        "--input",
        "When Mary and John went to the store, John gave a drink to",
    ]
    assert app.main([*words, "--set", "tokens=1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tokens"], said["stopped"]) == (["Mary"], "tokens")
    assert said["probability"][0] > 0.9
    assert app.main([*words, "--set", "temperature=0"]) == 2
    assert "temperature must be above 0" in capsys.readouterr().err


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


def test_a_table_from_the_command_line(tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.csv").write_text("text;label\nno fever;routine\n\n=chest pain;maybe\n")
    words = ["table", str(tmp_path / "notes.csv"), "--model", str(tiny_bert), "--out", str(tmp_path / "out")]
    assert app.main(words) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["labelled"] == 1
    assert "1 empty line was skipped" in said.err
    lines = (tmp_path / "out" / "table.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[2].startswith("2,line 4,'=chest pain,maybe,")
    assert len(json.loads((tmp_path / "out" / "table.json").read_text())["rows"]) == 2
    assert app.main(["table", str(tmp_path / "none"), "--model", str(tiny_bert)]) == 2
    assert "there is nothing at" in capsys.readouterr().err


def test_an_intervention_and_a_circuit_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "When Mary and John went to the store, John gave a drink to"
    given = ["--model", "bundled/names", "--input", text, "--target", "Mary|John", "--corrupted", "swap"]
    assert app.main(["run", "circuit", *given, "--set", "ablation=resample", "--out", str(tmp_path / "a")]) == 0
    first = json.loads(capsys.readouterr().out)
    again = ["--circuit", str(tmp_path / "a" / "result.json"), "--out", str(tmp_path / "b")]
    assert app.main(["run", "circuit", *given, *again]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["faithfulness"] == pytest.approx(first["facts"]["faithfulness"])
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert app.main(["run", "circuit", *given, "--circuit", str(broken)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    broken.write_text("[]")
    assert app.main(["run", "circuit", *given, "--circuit", str(broken)]) == 2
    assert "this is no circuit" in capsys.readouterr().err


def test_a_run_keeps_its_receipt_where_one_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    asked = ["run", "occlusion", "--model", "bundled/triage", "--input", "no fever but severe chest pain",
             "--target", "urgent", "--receipt", "--out", str(out)]  # fmt: skip
    assert app.main(asked) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "holds"
    kept = json.loads((out / "result.json").read_text())["facts"]["receipt"]
    assert kept["verdict"] == "holds"
    assert kept["rule"] == said["rule"]
    assert [line["name"] for line in kept["lines"]][:2] == ["hiding", "random parts"]


def test_the_store_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from backends.store import Store

    monkeypatch.setenv("VITRINE_STORE", str(tmp_path / "kept"))
    for n in range(3):
        Store().put_document(f"{n:064x}", {"n": n})
    assert app.main(["store", "size"]) == 0
    assert "documents         3" in capsys.readouterr().out
    damaged = tmp_path / "kept" / "documents" / f"{1:064x}.json"
    damaged.write_bytes(damaged.read_bytes().replace(b"1", b"3", 1))
    assert app.main(["store", "verify"]) == 1
    assert f"damaged, and dropped: documents/{1:064x}" in capsys.readouterr().out
    assert app.main(["store", "verify"]) == 0
    monkeypatch.setenv("VITRINE_STORE_GB", "0.0000001")
    assert app.main(["store", "gc"]) == 0
    said = capsys.readouterr().out
    assert "0 pieces of dead writers; 0.0 MB freed" in said
    assert "documents         1" in said or "documents         0" in said

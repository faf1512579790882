"""`pip install .`: the wheel holds all that is served, and serves it from any folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = (
    "app.py",
    "setup.py",
    "pyproject.toml",
    "requirements.txt",
    "README.md",
    "LICENSE",
    "assets",
    "backends",
    "viz",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree, since building leaves folders there."""
    copy = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".training"))
        else:
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return next((copy / "out").glob("vitrine-*.whl"))


def test_the_wheel_holds_every_file_that_is_served(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("backends", "viz"):
        files = (p for p in (ROOT / folder).rglob("*") if p.is_file())
        kept = (p for p in files if "__pycache__" not in p.parts and ".training" not in p.parts)
        assert {p.relative_to(ROOT).as_posix() for p in kept} <= held
    assets = (p for p in (ROOT / "assets").rglob("*") if p.is_file())
    assert {f"viz/assets/{p.relative_to(ROOT / 'assets').as_posix()}" for p in assets} <= held
    assert "app.py" in held
    tops = {name.split("/")[0] for name in held if ".dist-info" not in name}
    assert tops == {"app.py", "backends", "viz"}, "nothing else is laid into site-packages"
    assert wheel.stat().st_size < 16 * 2**20


def test_the_wheel_says_its_version_and_what_it_needs(wheel: Path) -> None:
    import backends

    with zipfile.ZipFile(wheel) as held:
        name = next(n for n in held.namelist() if n.endswith(".dist-info/METADATA"))
        about = held.read(name).decode()
        scripts = held.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert f"\nVersion: {backends.__version__}\n" in about
    for line in (ROOT / "requirements.txt").read_text().split():
        base = line.replace("[compress]", "").split("==")[0]
        assert f"\nRequires-Dist: {base}" in about, line
    assert "vitrine = app:main" in scripts


@pytest.mark.slow
def test_it_serves_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    held, here = tmp_path / "held", tmp_path / "here"
    here.mkdir()
    zipfile.ZipFile(wheel).extractall(held)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = "import sys; sys.argv[0] = 'vitrine'; import app; sys.exit(app.main())"
    server = subprocess.Popen(
        [sys.executable, "-c", start, "serve", "--port", str(port)],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(held)},
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                page = urllib.request.urlopen(address, timeout=5).read().decode()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.25)
        for asset in (ROOT / "assets").glob("*.js"):
            assert f"assets/{asset.name}" in page
            with urllib.request.urlopen(f"{address}/assets/{asset.name}", timeout=20) as answer:
                assert answer.read() == asset.read_bytes()
        for path in ("/attribution", "/_dash-layout", "/model"):
            with urllib.request.urlopen(f"{address}{path}", timeout=20) as answer:
                assert answer.status == 200
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()

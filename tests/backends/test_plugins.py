"""Somebody's own files beside the bundled ones: found, or left out with a sentence, and no other with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backends import plugins, registry
from backends.errors import Refused

METHOD = """
from dataclasses import dataclass
from backends.methods.attribution.saliency import Saliency

@dataclass(frozen=True)
class Mine(Saliency):
    "Where would the smallest change of the input change the answer most, once more?"
    title = "Mine"

ENTRY = Mine
"""
JOB = """
from dataclasses import dataclass
from typing import ClassVar
from backends.jobs.base import Job
from backends.requests import Request

@dataclass(frozen=True, kw_only=True)
class Wish(Request):
    job: ClassVar[str] = "wish"

ENTRY = Job(Wish, lambda model, request, store, step: {})
"""
Write = Callable[..., Path]


@pytest.fixture
def write(plugin_folder: Path) -> Write:
    def put(name: str, text: str = METHOD, folder: Path = plugin_folder) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put


def test_nothing_is_named_and_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(plugins.SETTING, raising=False)
    assert list(plugins.files("methods")) == []


def test_a_file_is_found_beside_the_others(write: Write) -> None:
    write("methods/mine.py")
    write("methods/_shared.py", "1 / 0")
    write("methods/helper.py", "1 / 0")  # has no ENTRY: it is for who imports it
    found = registry.entries("methods")
    assert found["mine"].title == "Mine"
    assert list(found) == sorted(found)
    assert "saliency" in found
    assert plugins.problems() == []
    assert found["mine"].__module__ == "vitrine_plugins.methods.mine"


def test_files_of_a_folder_can_use_one_another(write: Write) -> None:
    write("methods/_shared.py", "TITLE = 'Shared'")
    write("methods/mine.py", f"from vitrine_plugins.methods._shared import TITLE\n{METHOD}Mine.title = TITLE\n")
    assert registry.entries("methods")["mine"].title == "Shared"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ENTRY = (", "mine.py cannot be loaded (SyntaxError: '(' was never closed"),
        ("import nowhere\nENTRY = 1", "mine.py cannot be loaded (ModuleNotFoundError: No module named 'nowhere')"),
        ("ENTRY = 1 / 0", "mine.py cannot be loaded (ZeroDivisionError: division by zero)"),
        ("import sys\nENTRY = sys.exit(3)", "mine.py cannot be loaded (SystemExit: 3)"),
        ("ENTRY = 5", "mine.py: its ENTRY has no title, which every entry of methods has"),
        (METHOD.replace("Saliency)", "object)"), "mine.py: its ENTRY has no source, which every entry of methods has"),
        ("ENTRY = '\0'", "mine.py cannot be loaded"),
    ],
)
def test_a_faulty_file_stops_nobody_and_is_named(
    write: Write, text: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    write("methods/mine.py", text)
    write("methods/other.py")
    with caplog.at_level(logging.WARNING, "vitrine"):
        found = registry.entries("methods")
    assert "other" in found
    assert "mine" not in found
    (said,) = plugins.problems()
    assert sentence in said
    assert said in caplog.messages
    with pytest.raises(Refused) as refused:
        registry.method("mine")
    assert str(refused.value).endswith(f"; {said}")


def test_a_bundled_file_with_a_fault_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import backends.methods.attribution as home

    (tmp_path / "broken.py").write_text("ENTRY = 1 / 0")
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
    registry.entries.cache_clear()
    try:
        with pytest.raises(Refused, match=r"broken.py cannot be loaded \(ZeroDivisionError: division by zero\)"):
            registry.entries("methods")
    finally:
        registry.entries.cache_clear()


def test_bytes_that_are_no_text_are_a_sentence(write: Write) -> None:
    write("methods/mine.py").write_bytes(b"ENTRY = '\xff\xfe'")
    assert "mine" not in registry.entries("methods")
    assert "mine.py cannot be loaded (SyntaxError" in plugins.problems("mine")[0]


def test_names_that_are_taken_stay_with_whom_they_are(write: Write, tmp_path: Path, monkeypatch) -> None:
    second = tmp_path / "second"
    write("methods/saliency.py")
    write("methods/mine.py")
    write("methods/mine.py", METHOD.replace('"Mine"', '"Another"'), folder=second)
    write("jobs/aaa.py", JOB.replace('"wish"', '"run"'))
    monkeypatch.setenv(plugins.SETTING, os.pathsep.join([os.environ[plugins.SETTING], str(second)]))
    found = registry.entries("methods")
    assert (found["saliency"].title, found["mine"].title) == ("Saliency", "Mine")
    assert "aaa" not in registry.entries("jobs")
    said = "\n".join(plugins.problems())
    assert "plugins/methods/saliency.py is left out: there is another file called saliency among the methods" in said
    assert "second/methods/mine.py is left out: there is another file called mine among the methods" in said
    assert "aaa.py is left out: run.py is called 'run' already" in said


def test_a_second_folder_gives_what_the_first_has_not(write: Write, tmp_path: Path, monkeypatch) -> None:
    write("methods/mine.py", folder=tmp_path / "second")
    monkeypatch.setenv(plugins.SETTING, os.pathsep.join([os.environ[plugins.SETTING], str(tmp_path / "second")]))
    assert registry.entries("methods")["mine"].title == "Mine"


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, plugin_folder: Path) -> None:
    monkeypatch.setenv(plugins.SETTING, "/no/such/folder")
    assert "saliency" in registry.entries("methods")
    assert plugins.problems() == ["VITRINE_PLUGINS names /no/such/folder, and there is no such folder"]


def test_a_job_of_ones_own_is_called_as_its_request_says(write: Write) -> None:
    from backends.jobs import base

    write("jobs/mine.py", JOB)
    write("jobs/wrong.py", JOB.replace("(frozen=True, kw_only=True)", "").replace("@dataclass", ""))
    assert base.find("wish").name == "wish"
    (said,) = plugins.problems()
    assert "wrong.py cannot be loaded (Wish is no dataclass: write @dataclass(frozen=True, kw_only=True)" in said


def test_a_measure_and_a_family_of_ones_own(write: Write) -> None:
    write("measures/mine.py", "from backends.evidence.measures.completeness import ENTRY as E\nENTRY = E")
    write("families/mine.py", "from backends.models.families.text_classifier import ENTRY as E\nENTRY = E")
    write("families/wrong.py", "ENTRY = 5")
    assert "mine" in registry.entries("evidence.measures")
    assert "mine" in registry.entries("models.families")
    assert "wrong.py: its ENTRY has no task, which every entry of models.families has" in plugins.problems("wrong")[0]

"""Log lines that nobody can forge."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from backends.errors import Refused
from viz.server import logs

FORGED = "saliency\n12:00:00 ERROR all is lost\r\n\x1b[31mred\x1b[0m\x07 \u202eback \u2028 \x9b1m"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(kind: str, *said: object, **more: object) -> str:
    stream = io.StringIO()
    logs.configure(kind, stream)
    logging.getLogger("vitrine.test").error(*said, **more)  # type: ignore[arg-type]
    return stream.getvalue()


def test_what_a_stranger_typed_stays_within_its_line() -> None:
    text = written("text", "method %s failed", FORGED)
    assert text.count("\n") == 1
    assert re.match(r"\d\d:\d\d:\d\d ERROR method saliency\\n12:00:00 ERROR all is lost\\r\\n\\x1b\[31mred", text)
    assert not set(text) & set("\x1b\x07\r\u202e\u2028\x9b")


def test_words_of_any_language_are_written_as_they_are() -> None:
    assert "Größe 日本 → ok" in written("text", "Größe 日本 → ok")


def test_traces_follow_behind_a_bar() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        text = written("text", "a request failed", exc_info=True)
    first, *rest = text.rstrip("\n").split("\n")
    assert first.endswith("ERROR a request failed")
    assert len(rest) > 3
    assert all(line.startswith("    | ") for line in rest)
    assert "\x1b" not in text


def test_an_entry_of_several_lines_is_one_entry() -> None:
    first, *rest = (
        written("text", "job %s failed\n%s", "k", "Traceback\n12:00:00 ERROR forged").rstrip("\n").split("\n")
    )
    assert first.endswith("job k failed")
    assert rest == ["    | Traceback", "    | 12:00:00 ERROR forged"]


def test_structured_logs_are_one_object_a_line() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        text = written("json", "method %s failed", FORGED, exc_info=True)
    assert text.count("\n") == 1
    assert text.isascii()
    entry = json.loads(text)
    assert entry["message"] == f"method {FORGED} failed"
    assert (entry["level"], entry["logger"]) == ("error", "vitrine.test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
    assert "ValueError" in entry["trace"]


def test_another_kind_is_a_sentence() -> None:
    with pytest.raises(Refused, match="VITRINE_LOG is 'xml', and must be one of text, json"):
        logs.configure("xml")

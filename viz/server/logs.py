"""Log lines that nobody can forge: what a stranger typed never begins a line, and never reaches a terminal raw."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, TextIO

from backends.errors import Refused

KINDS = ("text", "json")
MORE = "    | "
"""What stands before the second line of an entry and all that follow: an entry of its own begins with its time."""


def escaped(text: str, lines: bool = False) -> str:
    """Return `text` with control characters, line ends (unless `lines`) and marks that turn text around written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or (lines and c == "\n") else _written(c) for c in text)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode() if character != "\u00a0" else character


class Lines(logging.Formatter):
    """One line an entry; a trace, and what the program itself wrote as several lines, follows behind a bar."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as text."""
        several = isinstance(record.msg, str) and "\n" in record.msg
        first, *rest = escaped(record.getMessage(), lines=several).split("\n")
        trace = _trace(record)
        rest += escaped(trace, lines=True).split("\n") if trace else []
        head = f"{self.formatTime(record, self.datefmt)} {record.levelname} {first}"
        return "\n".join([head, *(MORE + line for line in rest)])


class Json(logging.Formatter):
    """One JSON object an entry, on one line: time (UTC), level, logger, message, and the trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as JSON."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = _trace(record)
        return json.dumps(entry | ({"trace": trace} if trace else {}))


def _trace(record: logging.LogRecord) -> str:
    formatter = logging.Formatter()
    parts = [formatter.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    parts += [formatter.formatStack(record.stack_info)] if record.stack_info else []
    return "\n".join(parts)


def configure(kind: str, stream: TextIO | None = None) -> None:
    """Have all loggers write to `stream` (None: stderr) as `kind`, text or json. Raises `Refused` on another."""
    if kind not in KINDS:
        raise Refused(f"VITRINE_LOG is {kind[:40]!r}, and must be one of {', '.join(KINDS)}")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if kind == "json" else Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits a moment

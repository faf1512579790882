"""Write the tables of README and docs from what is there: methods, options, settings, jobs, measures, families, models.

`python docs/tables.py` writes what stands between `<!-- table: NAME -->` and `<!-- end of table -->`; with `--check` it
writes nothing and fails, naming file and table, where they differ.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FILES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table; `|` and line breaks in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([" ".join(str(cell).split()).replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a docstring, in one line."""
    flat = " ".join((text or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s(?=[A-Z])", flat)[0]


def entries(package: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the ENTRY of every file of `backends.<package>`."""
    from backends import registry

    yield from registry.entries(package).items()


def page_titles() -> dict[str, str]:
    """Return the title of each page by its question, the name that methods use."""
    from viz.pages import page_modules

    return {page.PATH.strip("/"): page.TITLE for page in page_modules()}


def methods() -> str:
    """The methods with the page that shows them, what they measure and their source."""
    titles = page_titles()
    rows = [
        (f"`{n}`", titles.get(m.question, m.question), first_sentence(m.__doc__), m.source)
        for n, m in entries("methods")
    ]
    return table(("method", "page", "what it measures", "source"), rows)


def options() -> str:
    """The options of every method, with defaults and bounds."""
    rows = []
    for name, method in entries("methods"):
        for field in dataclasses.fields(method):
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            said = field.metadata.get("help", "")
            rows.append((f"`{name}`", f"`{field.name}`", f"`{default}`", _bounds(field.metadata), said))
    return table(("method", "option", "default", "may be", "what it does"), rows)


def _bounds(about: Any) -> str:
    """What an option may be: its choices, or its bounds."""
    if about.get("choices"):
        return ", ".join(f"`{choice}`" for choice in about["choices"])
    low, high = about.get("low"), about.get("high")
    if low is None and high is None:
        return ""
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"{low} or more" if high is None else f"{high} or less"


def settings() -> str:
    """The settings that the environment carries."""
    from backends.settings import SETTINGS

    rows = [(f"`{s.name}`", s.does, f"`{s.default}`" if s.default else s.unset) for s in SETTINGS]
    return table(("setting", "what it does", "default"), rows)


def families() -> str:
    """The model families, with their task and the Auto classes that open them."""
    rows = [
        (f"`{n}`", f.task, first_sentence(inspect.getdoc(f)), ", ".join(f"`{a}`" for a in f.mappings) or "–")
        for n, f in entries("models.families")
    ]
    return table(("family", "task", "what it is", "opened by"), rows)


def jobs() -> str:
    """The jobs, by the name that requests carry, with their file."""
    rows = []
    for stem, entry in entries("jobs"):
        told = sys.modules[entry.perform.__module__].__doc__
        rows.append((f"`{entry.name}`", first_sentence(told), f"`backends/jobs/{stem}.py`"))
    return table(("job", "what it does", "file"), rows)


def measures() -> str:
    """The measures of a map, with where each is seen, its unit, which way is better and its source."""
    seen = {"number": "the numbers of a map", "region": "the numbers against a region", "line": "receipts"}
    rows = [
        (
            f"`{name}`", entry.title, entry.meaning, ", ".join(w for kind, w in seen.items() if getattr(entry, kind)),
            entry.unit, entry.better, entry.source,
        )
        for name, entry in entries("evidence.measures")
    ]  # fmt: skip
    return table(("measure", "called", "what it says; its control", "seen in", "unit", "better", "source"), rows)


def models() -> str:
    """The bundled models."""
    from backends import catalog

    return table(("model", "what it is"), [(f"`{card['name']}`", card["title"]) for card in catalog.bundled()])


TABLES: dict[str, Callable[[], str]] = {
    "methods": methods,
    "options": options,
    "settings": settings,
    "families": families,
    "jobs": jobs,
    "measures": measures,
    "models": models,
}


def written(text: str, made: dict[str, str], stale: list[str]) -> str:
    """Return `text` with every marked table as it should be; the names of those that differ go into `stale`."""

    def one(found: re.Match[str]) -> str:
        start, name, old, end = found.groups()
        if name not in TABLES:
            raise SystemExit(f"there is no table {name!r}; there are: {', '.join(TABLES)}")
        if name not in made:
            made[name] = TABLES[name]()
        if old != made[name]:
            stale.append(name)
        return start + made[name] + end

    return MARKED.sub(one, text)


def main(words: Sequence[str]) -> int:
    """Write the tables, or with `--check` say which are stale. Returns the exit code."""
    made: dict[str, str] = {}
    wrong = []
    for file in FILES:
        text, stale = file.read_text(encoding="utf-8"), []
        new = written(text, made, stale)
        wrong += [f"{file.relative_to(ROOT)}: the table of {name}" for name in stale]
        if stale and "--check" not in words:
            file.write_text(new, encoding="utf-8")
    for line in wrong:
        print(line, "is stale; run `make tables`" if "--check" in words else "is written anew")
    return int(bool(wrong) and "--check" in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A CSV or TSV file from anywhere: its encoding, its separator, its heading, and which columns are text and label."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.errors import Refused

TEXT = (
    "text",
    "note",
    "notes",
    "sentence",
    "content",
    "review",
    "body",
    "message",
    "comment",
    "input",
    "prompt",
    "title",
)
LABEL = ("label", "labels", "class", "target", "category", "gold", "answer", "truth", "sentiment", "diagnosis", "y")
SEPARATORS = (",", ";", "\t", "|")
csv.field_size_limit(2**26)  # a cell may hold a whole file: what bounds it is the size of the file
MOST_COLUMNS = 200
WIDEST = 10_000
"""Separators in an unquoted first line beyond which it is no table, whichever the separator."""
SNIFFED = 2**20
"""Characters at the start of a file by which its separator is told."""
MOST_RECORDS = 200_000
MOST_CELLS = 2_000_000
"""Cells of a whole table; each takes a microsecond in every look at the table, and there are about ten."""


@dataclass(frozen=True)
class Sheet:
    """Records of equal length under distinct column names; `lines` are the records' numbers in the file, from 1.

    `text` and `label` are the columns that look like it, `label` "" where none does.
    """

    name: str
    columns: tuple[str, ...]
    records: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The column that holds the texts: by its name, else the one with the longest cells."""
        named = _find_named(self.columns, TEXT)
        if named:
            return named
        sizes = [sum(len(r[c]) for r in self.records) for c in range(len(self.columns))]
        return self.columns[sizes.index(max(sizes))]

    @property
    def label(self) -> str:
        """The column that holds the labels: by its name, else the first with few different short values."""
        named = _find_named(self.columns, LABEL)
        if named and named != self.text:
            return named
        for c, column in enumerate(self.columns):
            values = [r[c].strip() for r in self.records if r[c].strip()]
            few = 1 < len(set(values)) <= max(2, min(50, len(values) // 2))
            if column != self.text and few and max(map(len, values)) <= 60:
                return column
        return ""

    def document(self) -> dict[str, Any]:
        """The sheet as plain JSON."""
        return {
            "name": self.name,
            "columns": list(self.columns),
            "records": [list(r) for r in self.records],
            "lines": list(self.lines),
            "notes": list(self.notes),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Sheet:
        """The sheet that `document` wrote."""
        records = tuple(tuple(r) for r in document["records"])
        rest = (tuple(document["lines"]), tuple(document["notes"]))
        return cls(document["name"], tuple(document["columns"]), records, *rest)


def _find_named(columns: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The column whose name is among `names`, the first of them first."""
    plain = {c.strip().lower(): c for c in reversed(columns)}
    return next((plain[n] for n in names if n in plain), "")


def read_sheet(data: bytes, name: str) -> Sheet:
    """The table in the bytes of a CSV or TSV file. Raises `Refused`, naming the line that cannot be read."""
    text, notes = decode(data, name)
    if not text.strip():
        raise Refused(f"{name} is empty; give a table with a heading and one text a line")
    _check_width(text, name)
    said = re.match(r"sep=(.)\n", text)  # as Excel writes it
    records, lines = _read_records(
        text[said.end() :] if said else text, said[1] if said else find_separator(text, name), name
    )
    width = max(map(len, records))
    if width > MOST_COLUMNS:
        raise Refused(f"{name} has {width} columns; at most {MOST_COLUMNS} are read: is its separator another one?")
    headed = _has_heading(records)
    if headed and len(records) == 1:
        raise Refused(f"{name} has a heading ({', '.join(records[0])[:80]}) and nothing below it")
    heading = records[0] if headed else [""] * width
    notes += [] if headed else ["the file has no heading, so its columns are numbered"]
    columns, renamed = _make_distinct(heading + [""] * (width - len(heading)))
    notes += [f"the heading names {', '.join(renamed)} twice; the later ones are numbered"] if renamed else []
    body, lines = (records[1:], lines[1:]) if headed else (records, lines)
    usual = len(records[0]) if headed else Counter(map(len, filter(None, body))).most_common(1)[0][0]
    ragged = [line for line, r in zip(lines, body, strict=True) if r and len(r) != usual]
    if ragged:
        notes.append(
            f"{len(ragged)} line{'s have' if len(ragged) > 1 else ' has'} more or fewer cells than the others "
            f"(the first is line {ragged[0]}): an unquoted separator within a text does this"
        )
    blank = [i for i, r in enumerate(body) if not any(cell.strip() for cell in r)]
    notes += [f"{len(blank)} empty line{'s were' if len(blank) > 1 else ' was'} skipped"] if blank else []
    gone = set(blank)
    kept = [i for i in range(len(body)) if i not in gone]
    if not kept:
        raise Refused(f"{name} has a heading and only empty lines below it")
    filled = tuple(tuple(body[i]) + ("",) * (width - len(body[i])) for i in kept)
    return Sheet(name, columns, filled, tuple(lines[i] for i in kept), tuple(notes))


def _check_width(text: str, name: str) -> None:
    """Refuse a first line of more cells than any table has, before anything cuts it: that alone took seconds."""
    first = text.lstrip("\n").partition("\n")[0]
    most = max(first.count(mark) for mark in SEPARATORS)
    if most > WIDEST and '"' not in first:
        raise Refused(
            f"{name} has {most + 1:,} columns; at most {MOST_COLUMNS} are read: is its separator another one?"
        )


def decode(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text of a file in UTF-8 or UTF-16 (by its mark), else in Windows' western encoding, which is said."""
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    marked = next((kind for mark, kind in marks.items() if data.startswith(mark)), "utf-8")
    try:
        text, notes = data.decode(marked), []
    except UnicodeDecodeError as error:
        if marked != "utf-8":
            raise Refused(f"{name} is marked as {marked} and is not; save it as UTF-8") from None
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        at = data.count(b"\n", 0, error.start) + 1
        notes = [f"the file is not UTF-8 (line {at}), so it was read as Latin-1: check accents and quotes"]
    if "\x00" in text:
        raise Refused(f"{name} is no table of texts: it holds bytes that no text has; save it as CSV (UTF-8)")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def find_separator(text: str, name: str) -> str:
    """The character between cells: the one that cuts the first lines into most alike pieces; "" for a text a line."""
    first = "\t" if name.lower().endswith((".tsv", ".tab")) else ","
    alike: dict[str, tuple[float, bool, int]] = {}
    for mark in SEPARATORS:
        some = [record for record in _some(text, mark) if record]
        if some and len(some[0]) > 1 and _find_named(tuple(some[0]), TEXT + LABEL):
            return mark
        widths = [len(record) for record in some]
        width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
        if width > 1 and count >= 0.7 * len(widths):
            alike[mark] = (round(count / len(widths), 1), mark == first, width)
    if alike:
        return max(alike, key=lambda mark: alike[mark])
    return first if all(len(record) < 2 for record in _some(text, first)) else ""


def _some(text: str, mark: str, most: int = 50) -> list[list[str]]:
    if mark == "\t":  # where a quotation mark is text, unless that leaves lines of unequal length
        plain = [line.split(mark) if line else [] for line in text[:SNIFFED].split("\n")[:most]]
        if len(set(map(len, filter(None, plain)))) < 2:
            return plain
    found = []
    try:
        for record in csv.reader(io.StringIO(text[:SNIFFED], newline=""), delimiter=mark):
            found.append(record)
            if len(found) >= most:
                break
    except csv.Error:
        pass
    return found


def _read_records(text: str, mark: str, name: str) -> tuple[list[list[str]], list[int]]:
    """All records with the line on which each begins, empty ones before the first left out."""
    if not mark:
        there = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        return [[line] for _, line in there], [i for i, _ in there]
    if mark == "\t":
        return _tabbed(text, name)
    return _quoted(text, mark, name)


def _tabbed(text: str, name: str) -> tuple[list[list[str]], list[int]]:
    """The records of a TSV, where a quotation mark is text: a sentence may begin with one.

    Only where that leaves lines of unequal length, and reading quotes as a CSV has them does not, they are read so:
    a spreadsheet writes tabs and line breaks within a cell like that.
    """
    if text.count("\t") + text.count("\n") > MOST_CELLS:
        raise Refused(f"{name} has more than {MOST_CELLS:,} cells; give fewer lines, or only the texts and labels")
    there = [(i, line.split("\t")) for i, line in enumerate(text.split("\n"), 1)]
    first = next((n for n, (_, cells) in enumerate(there) if any(cells)), len(there))
    if len(there) - first > MOST_RECORDS + 1:
        raise Refused(f"{name} has more than {MOST_RECORDS:,} lines; give a part of it")
    plain = [[] if cells == [""] else cells for _, cells in there[first:]]
    lines = [line for line, _ in there[first:]]
    while plain and not plain[-1]:
        plain.pop(), lines.pop()
    if len(set(map(len, filter(None, plain)))) > 1 and '"' in text:
        try:
            records, begins = _quoted(text, "\t", name)
        except Refused:
            records, begins = [], []
        if len(set(map(len, filter(None, records)))) == 1:
            return records, begins
    return _unwrapped(plain), lines


def _unwrapped(records: list[list[str]]) -> list[list[str]]:
    """The records without the quotes that a writer put around every cell that holds one, or around every cell."""
    cells = [cell for record in records for cell in record if '"' in cell]
    wrapped = all(re.fullmatch(r'"(?:[^"]|"")*"', cell) for cell in cells)
    every = len(cells) == sum(map(len, records))
    if not cells or not wrapped or not (every or any('""' in cell[1:-1] for cell in cells)):
        return records
    return [[cell[1:-1].replace('""', '"') if '"' in cell else cell for cell in record] for record in records]


def _quoted(text: str, mark: str, name: str) -> tuple[list[list[str]], list[int]]:
    """The records of a CSV, where a cell in quotes may hold the separator and line breaks."""
    records: list[list[str]] = []
    lines: list[int] = []
    cells = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    begins = 1
    try:
        for record in reader:
            if len(records) > MOST_RECORDS:
                raise Refused(f"{name} has more than {MOST_RECORDS:,} lines; give a part of it")
            cells += len(record)
            if cells > MOST_CELLS:
                raise Refused(
                    f"{name} has more than {MOST_CELLS:,} cells in its first {len(records) + 1:,} lines; "
                    "give fewer lines, or only the columns of texts and labels"
                )
            if record or records:
                records.append(record)
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Refused(
            f"{name} cannot be read from line {begins} on ({error}): a text with quotes is put in quotes, "
            'and each quote within it is doubled ("")'
        ) from None
    return records, lines


def _has_heading(records: list[list[str]]) -> bool:
    """Whether the first record is a heading: known names, or short words that do not recur below."""
    first = [cell.strip() for cell in records[0]]
    if _find_named(tuple(first), TEXT + LABEL):
        return True
    if len(first) == 1 or not all(first) or any(len(c) > 40 or _number(c) for c in first):
        return False
    below = [{r[c].strip() for r in records[1:] if c < len(r)} for c in range(len(first))]
    return not any(cell in seen for cell, seen in zip(first, below, strict=True))


def _number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _make_distinct(heading: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names of the columns, each once, and those that stood there twice."""
    columns: list[str] = []
    twice: list[str] = []
    for place, cell in enumerate(heading):
        name = cell.strip()[:80] or f"column {place + 1}"
        if name in columns:
            twice.append(repr(name))
            count = 2
            while f"{name} ({count})" in columns:
                count += 1
            name = f"{name} ({count})"
        columns.append(name)
    return tuple(columns), list(dict.fromkeys(twice))

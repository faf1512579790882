"""Your own data: a folder of images, a table of texts, or a zip, read into rows. Loads no torch.

Nothing is written outside the store: members of a zip are read in memory and their names serve as names only.
What cannot be read whole raises `Refused`; what concerns one row is said in that row, the rest in `notes`.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from backends import folders
from backends.errors import Refused
from backends.inputs.csv_table import Sheet, read_sheet

if TYPE_CHECKING:
    from backends.store import Store

IMAGES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SHEETS = (".csv", ".tsv", ".tab", ".txt")
FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_path", "image_id", "path", "name", "id")
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
"""Names of folders that say to which part of a data set an image belongs, never what it shows."""
MOST_IMAGES = 2000
MOST_TEXTS = 5000
MOST_FILES = 50_000
"""Files of a folder, or members of a zip, that are looked at."""
MOST_BYTES = 256 * 2**20
"""Bytes of all images that a zip or an upload may unpack to."""
ONE_BYTES = 32 * 2**20
READS = "a CSV or TSV file of texts, images, or a zip of either"


@dataclass(frozen=True)
class Row:
    """One input: `raw` as `Store.put_input` takes it (empty where `problem` says why), with its label if it has one."""

    name: str
    raw: Mapping[str, Any]
    label: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Dataset:
    """Rows of one kind (`text` or `image`), and sentences on what was found and what was left out."""

    kind: str
    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    sheet: Sheet | None = None
    columns: tuple[str, str] = ("", "")
    """Of a sheet: the columns of the text and of the label ("" for none)."""


@dataclass
class _Labels:
    """The labels of a labels.csv by file name, and which of them were used."""

    by_name: dict[str, str]
    used: set[str] = field(default_factory=set)

    def of(self, path: PurePosixPath, alone: bool = True) -> str | None:
        """Return the label of the image at `path`: by its path, or by its name where it is `alone` with it.

        A table may write another folder in front, or leave the ending away.
        """
        ways = [str(path), *([path.name, path.stem] if alone else [])]
        for way in ways:
            found = way if way in self.by_name else self._names.get(way, "")
            ending = PurePosixPath(found).suffix.lower() in IMAGES
            if found and (way != path.stem or not ending):
                self.used.add(found)
                return self.by_name[found]
        return None

    @cached_property
    def _names(self) -> dict[str, str]:
        """The last part of each name in the table, where no other has it -> the whole name."""
        called: dict[str, list[str]] = {}
        for name in self.by_name:
            called.setdefault(PurePosixPath(name).name, []).append(name)
        return {way: names[0] for way, names in called.items() if len(names) == 1}


def open_path(path: str) -> Dataset:
    """The data at `path` on this machine: a folder of images, a CSV or TSV file, or a zip. Raises `Refused`."""
    if not str(path).strip():
        raise Refused(f"no path given; give that of a folder of images, or of {READS}")
    where = folders.find_path(str(path).strip(), "data")
    if where.is_dir():
        return _read_folder(where, folders.list_roots())
    if not where.exists():
        raise Refused(f"there is nothing at {str(path)[:200]!r}; give a folder of images, or {READS}")
    suffix = where.suffix.lower()
    folders.check_file(where, None if suffix == ".zip" else ONE_BYTES)
    if suffix == ".zip":
        with where.open("rb") as file:
            return _read_zip(file, where.name)
    if suffix in IMAGES:
        return make_image_rows(where.name, [(PurePosixPath(where.name), where)])
    return open_files([(where.name, where.read_bytes() if suffix in SHEETS else b"")])


def open_files(files: Sequence[tuple[str, bytes]]) -> Dataset:
    """The data in uploaded files: one table of texts, one zip, or several images. Raises `Refused`."""
    if not files:
        raise Refused(f"no file came; give {READS}")
    named = [(PurePosixPath(name.replace("\\", "/").strip("/") or "file"), data) for name, data in files]
    path, data = named[0]
    if len(named) == 1 and path.suffix.lower() == ".zip":
        return _read_zip(BytesIO(data), path.name)
    sheets = [(p, d) for p, d in named if p.suffix.lower() in SHEETS]
    images = [(PurePosixPath(p.name), d) for p, d in named if p.suffix.lower() in IMAGES]
    if len(named) == 1 and sheets:
        return make_text_rows(read_sheet(data, path.name))
    if not images:
        raise Refused(f"{_listed([p.name for p, _ in named])} cannot be read here; give {READS}")
    others = len(named) - len(images) - sum(_is_labels(p) for p, _ in sheets)
    name = images[0][0].name if len(images) == 1 else f"{len(images)} images"
    return make_image_rows(name, images, _read_labels([(p, d) for p, d in sheets if _is_labels(p)]), others)


def make_text_rows(sheet: Sheet, text: str | None = None, label: str | None = None) -> Dataset:
    """The texts of one column, with the labels of another: both guessed when not named, no labels for "".

    Raises `Refused` when there is no such column, or no text in it.
    """
    text = sheet.text if text is None else text
    label = sheet.label if label is None else label
    for column in (text, *([label] if label else [])):
        if column not in sheet.columns:
            raise Refused(f"{sheet.name} has no column {column[:40]!r}; its columns are: {_listed(sheet.columns)}")
    if text == label:
        label = ""
    at, of = sheet.columns.index(text), sheet.columns.index(label) if label else None
    rows = []
    for number, record in zip(sheet.lines, sheet.records, strict=True):
        known = (record[of].strip() or None) if of is not None else None
        if record[at].strip():
            rows.append(Row(f"line {number}", {"text": record[at]}, known))
        else:
            rows.append(Row(f"line {number}", {}, known, f"there is no text in the column {text!r}"))
    if not any(row.raw for row in rows):
        raise Refused(
            f"the column {text[:40]!r} of {sheet.name} holds no text; choose another: {_listed(sheet.columns)}"
        )
    kept, cut = spread(rows, MOST_TEXTS)
    return Dataset("text", sheet.name, tuple(kept), (*sheet.notes, *cut), sheet, (text, label))


def make_image_rows(
    name: str, files: Iterable[tuple[PurePosixPath, Any]], labels: _Labels | None = None, others: int = 0
) -> Dataset:
    """Images, each with its path below the data's top: its first folder is its label, unless `labels` know it."""
    found = sorted(files, key=lambda file: str(file[0]))
    if not found:
        raise Refused(f"there is no image in {name!r}; Vitrine reads {', '.join(s[1:].upper() for s in IMAGES)}")
    skipped = _count_splits([path for path, _ in found]) if labels is None else 0
    rows, named = [], Counter(path.name for path, _ in found)
    for path, source in found:
        below = path.parts[skipped:]
        label = labels.of(path, named[path.name] == 1) if labels else (below[0] if len(below) > 1 else None)
        rows.append(Row(str(path), {"image": source}, label))
    them = "files were left out, since they are" if others > 1 else "file was left out, since it is"
    notes = [f"{others} other {them} no image"] if others else []
    if skipped:
        splits = sorted({path.parts[0] for path, _ in found})
        notes.append(f"{' and '.join(splits)} name parts of the data set, so the folders in them are the labels")
    if labels:
        missing = [n for n in labels.by_name if n not in labels.used]
        unnamed = sum(row.label is None for row in rows)
        notes += [f"labels.csv names {len(missing)} files that are not there: {_listed(missing)}"] if missing else []
        notes += [f"{unnamed} images stand in no line of labels.csv, so they have no label"] if unnamed else []
    kept, cut = spread(rows, MOST_IMAGES)
    return Dataset("image", name, tuple(kept), (*notes, *cut))


def _count_splits(paths: Sequence[PurePosixPath]) -> int:
    """Return 1 where the first folder of every path names a split (train, val …), else 0."""
    return int(all(len(path.parts) > 1 and path.parts[0].lower() in SPLITS for path in paths))


def spread(rows: list[Row], most: int) -> tuple[list[Row], list[str]]:
    """At most `most` rows, evenly over all of them, since files are often sorted by label; and the sentence on it."""
    if len(rows) <= most:
        return rows, []
    kept = [rows[i * len(rows) // most] for i in range(most)]
    return kept, [f"of {len(rows):,} rows {most:,} were taken, spread evenly over all: more is not shown at a time"]


def _read_folder(folder: Path, roots: list[Path] | None) -> Dataset:
    images, sheets, others, seen = [], [], 0, 0
    for file in _list_files(folder):
        seen += 1
        if seen > MOST_FILES:
            raise Refused(f"{folder.name!r} holds more than {MOST_FILES:,} files; give a smaller folder of it")
        inside = PurePosixPath(file.relative_to(folder).as_posix())
        if file.suffix.lower() in IMAGES and _is_readable(file, roots):
            images.append((inside, file))
        elif _is_labels(inside) and len(inside.parts) == 1:
            folders.check_file(file, ONE_BYTES, roots)
            sheets.append((inside, file.read_bytes()))
        else:
            others += 1
    if not images:
        raise Refused(
            f"there is no image in {folder.name!r} ({seen} files seen); give a folder of "
            f"{', '.join(s[1:].upper() for s in IMAGES)} files, in sub-folders named by their label if they have one"
        )
    return make_image_rows(folder.name, images, _read_labels(sheets), others)


def _is_readable(file: Path, roots: list[Path] | None) -> bool:
    """Whether it is a file of a size that an image may have, and no pipe, no device and no link that leads out."""
    try:
        folders.check_file(file, None, roots)
    except Refused:
        return False
    return True


def _list_files(folder: Path) -> Iterator[Path]:
    for here, inner, names in os.walk(folder):
        inner[:] = sorted(f for f in inner if not f.startswith((".", "__MACOSX")))
        yield from (Path(here) / name for name in sorted(names) if not name.startswith("."))


def _read_zip(file: Any, name: str) -> Dataset:
    """The images, or the one table of texts, in a zip. Raises `Refused` on a bomb, a lock, or names that lead out."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _members(archive, name)
    except Refused:
        raise
    except Exception as error:  # a damaged zip raises zlib.error, struct.error, LZMAError, KeyError and more
        raise Refused(f"{name!r} cannot be opened as a zip ({str(error)[:80]}); pack it again") from None


def _members(archive: zipfile.ZipFile, name: str) -> Dataset:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MOST_FILES:
        raise Refused(f"{name!r} holds {len(infos):,} files; at most {MOST_FILES:,} are looked at: pack fewer")
    paths = {info.filename: PurePosixPath(info.filename.replace("\\", "/")) for info in infos}
    for path in paths.values():
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
            raise Refused(f"{name!r} holds the name {str(path)[:60]!r}, which leads out of it: it is refused whole")
    infos = [i for i in infos if not any(p.startswith((".", "__MACOSX")) for p in paths[i.filename].parts)]
    wanted = [i for i in infos if paths[i.filename].suffix.lower() in (*IMAGES, *SHEETS)]
    if any(i.flag_bits & 1 for i in wanted):
        raise Refused(f"{name!r} is locked with a password; pack it without one")
    if sum(i.file_size for i in wanted) > MOST_BYTES:
        raise Refused(f"{name!r} would unpack to more than {MOST_BYTES >> 20} MB; pack fewer or smaller files")
    images = [i for i in wanted if paths[i.filename].suffix.lower() in IMAGES]
    sheets = [i for i in wanted if i not in images] if len(wanted) < 200 or not images else [
        i for i in wanted if _is_labels(paths[i.filename])
    ]  # fmt: skip
    if not images and len(sheets) == 1:
        return make_text_rows(read_sheet(_read_member(archive, sheets[0]), paths[sheets[0].filename].name))
    if not images:
        raise Refused(f"there is no image in {name!r}, and {len(sheets)} tables of texts; pack images, or one table")
    top = _count_common_folders([paths[i.filename] for i in images])
    left, files = MOST_BYTES, []
    for info in images:
        data = _read_member(archive, info, left)
        left -= len(data)
        files.append((PurePosixPath(*paths[info.filename].parts[top:]), data))
    found = [(paths[i.filename], _read_member(archive, i)) for i in sheets if _is_labels(paths[i.filename])]
    return make_image_rows(name, files, _read_labels(found), len(infos) - len(images) - len(found))


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int = ONE_BYTES) -> bytes:
    """The bytes of one member, which may be more than its header says."""
    most = min(left, ONE_BYTES)
    with archive.open(info) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise Refused(f"{info.filename[:60]!r} in the zip unpacks to more than {most >> 20} MB; leave it out")
    return data


def _count_common_folders(paths: list[PurePosixPath]) -> int:
    """How many leading folders all images share and none needs: a zip of a folder repeats its name in front."""
    top = 0
    while all(len(p.parts) > top + 1 for p in paths) and len({p.parts[top] for p in paths}) == 1:
        top += 1
    return top


def _is_labels(path: PurePosixPath) -> bool:
    return path.name.lower() in ("labels.csv", "labels.tsv", "metadata.csv", "metadata.tsv")


def _read_labels(sheets: list[tuple[PurePosixPath, bytes]]) -> _Labels | None:
    """What a labels.csv (file, label) says. Raises `Refused` when its columns cannot be told."""
    if not sheets:
        return None
    sheet = read_sheet(sheets[0][1], sheets[0][0].name)
    scores = [
        2 * sum(r[c].lower().strip().endswith(IMAGES) for r in sheet.records) + (column.strip().lower() in FILE_COLUMNS)
        for c, column in enumerate(sheet.columns)
    ]
    file = scores.index(max(scores))
    rest = [c for c in range(len(sheet.columns)) if c != file]
    if not max(scores) or not rest:
        raise Refused(
            f"labels.csv has the columns {_listed(sheet.columns)}; it needs one with the images' file names "
            "(such as film-1.png) and one with their labels"
        )
    known = sheet.columns.index(sheet.label) if sheet.label in sheet.columns else rest[0]
    label = known if known != file else rest[0]
    named = {r[file].strip().replace("\\", "/"): r[label].strip() for r in sheet.records}
    return _Labels({n.removeprefix("./"): v for n, v in named.items() if n and v})


def _listed(names: Sequence[Any], most: int = 5) -> str:
    shown = ", ".join(repr(str(n)[:40]) for n in names[:most])
    return shown + (" …" if len(names) > most else "")


ODD = (
    ("The chest pain is gone since this morning.", "routine"),
    ("Mother says he cannot be woken.", "urgent"),
    ("Patient would like the results of last week.", "routine"),
    ("Pain in the chest? None at all today.", "routine"),
    ("Not only a rash but also a fever.", "soon"),
    ("It is false that she has chest pain.", "routine"),
    ("No doubt about the severe chest pain.", "urgent"),
    ("Worried about chest pain that her neighbour has.", "routine"),
)
"""Notes in words that the shipped model never learnt, so that there is something to get wrong."""
EXAMPLES = {
    "triage": "120 triage notes with their labels, 8 of them oddly worded",
    "radiograph": "80 phantom chest films, half of the lesions faint",
    "names": "60 beginnings of sentences with the name that follows",
}
SEED = 4711


def make_example(name: str) -> Dataset:
    """A made-up table that ships with Vitrine, the same each time. Raises `Refused`."""
    if name not in EXAMPLES:
        raise Refused(f"no example table {str(name)[:40]!r}; there are: {', '.join(EXAMPLES)}")
    if name == "triage":
        from backends.bundled.data import triage

        notes = [(n.text, n.label) for n in triage.notes(SEED, 120 - len(ODD), "test")] + list(ODD)
        rows = [Row(f"note {i + 1}", {"text": text}, label) for i, (text, label) in enumerate(notes)]
        return Dataset("text", EXAMPLES[name], tuple(rows))
    if name == "names":
        from backends.bundled.data import names

        made = names.sentences(SEED, 60, "test")
        return Dataset(
            "text",
            EXAMPLES[name],
            tuple(Row(f"sentence {i + 1}", {"text": s.clean}, s.answer) for i, s in enumerate(made)),
        )
    return Dataset("image", EXAMPLES[name], tuple(_films()))


def _films() -> Iterator[Row]:
    """Half of the lesions are plain and half faint, so that there is something to get wrong."""
    import numpy as np
    from PIL import Image

    from backends.bundled.data import radiograph

    for kind, strength in (("plain", radiograph.PLAIN), ("faint", radiograph.FAINT)):
        made = radiograph.phantoms([SEED, len(kind)], 40, strength=strength, labels=np.arange(40) % 2)
        for i, (pixels, label) in enumerate(zip(made.images, made.labels, strict=True)):
            file = BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            name = f"{kind}-{i + 1:02}.png" if label else f"clear-{i + 1:02}{kind[0]}.png"
            yield Row(name, {"image": file.getvalue()}, radiograph.LABELS[label])


def keep(store: Store, dataset: Dataset) -> str:
    """Put the rows' inputs, and the table itself, into the store; returns the table's id: the digest of its content."""
    rows = [_kept(store, row) for row in dataset.rows]
    document: dict[str, Any] = {"kind": dataset.kind, "name": dataset.name, "rows": rows, "notes": list(dataset.notes)}
    if dataset.sheet:
        document |= {"sheet": _put(store, dataset.sheet.document()), "columns": list(dataset.columns)}
        document["choices"] = list(dataset.sheet.columns)
    return _put(store, document)


def _kept(store: Store, row: Row) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": row.name, "label": row.label, "problem": row.problem, "digest": None}
    if row.raw:
        try:
            kept["digest"] = store.put_input(row.raw)
        except Refused as refused:
            kept["problem"] = str(refused)
    return kept | ({"text": row.raw["text"]} if "text" in row.raw else {})


def _put(store: Store, document: Mapping[str, Any]) -> str:
    id = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    store.put_document(id, document)
    return id


def choose(store: Store, id: str, text: str, label: str) -> str:
    """The id of the same table of texts with other columns as text and label. Raises `Refused`."""
    document = fetch(store, id)
    if "sheet" not in document:
        raise Refused(f"{document['name']} has no columns to choose from")
    return keep(store, make_text_rows(Sheet.of(store.get_document(document["sheet"])), text, label))


def fetch(store: Store, id: str) -> dict[str, Any]:
    """The table of this id, as `keep` wrote it. Raises `Refused` when it is not kept, or is no table."""
    try:
        document = store.get_document(id)
    except Refused:
        raise Refused("the table of this link is not kept on this machine; give the data again") from None
    if "rows" not in document or document.get("kind") not in ("text", "image"):
        raise Refused("the link names something that is not a table of data; give the data again")
    return document

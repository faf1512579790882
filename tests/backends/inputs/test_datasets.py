"""Your own data: folders, zips and uploads, honest and hostile ones."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.errors import Refused
from backends.inputs import datasets
from backends.store import Store


def png(grey: int = 90) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def packed(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def labels(data: datasets.Dataset) -> dict[str, str | None]:
    return {row.name: row.label for row in data.rows}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("clear/a.png", "clear/b.png", "lesion/c.png"):
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png())
    (tmp_path / "films" / "readme.md").write_text("x")
    return tmp_path / "films"


def test_a_folder_is_labelled_by_its_sub_folders(films: Path) -> None:
    data = datasets.open_path(str(films))
    assert data.kind == "image"
    assert labels(data) == {"clear/a.png": "clear", "clear/b.png": "clear", "lesion/c.png": "lesion"}
    assert data.notes == ("1 other file was left out, since it is no image",)


def test_labels_csv_goes_before_the_folders(films: Path) -> None:
    (films / "labels.csv").write_text("file;label\nclear/a.png;lesion\nc.png;clear\ngone.png;clear\n")
    data = datasets.open_path(str(films))
    assert labels(data) == {"clear/a.png": "lesion", "clear/b.png": None, "lesion/c.png": "clear"}
    assert "labels.csv names 1 files that are not there: 'gone.png'" in data.notes
    assert "1 images stand in no line of labels.csv, so they have no label" in data.notes


def test_labels_csv_without_file_names_is_refused(films: Path) -> None:
    (films / "labels.csv").write_text("text,label\nhello,b\n")
    with pytest.raises(Refused, match=r"labels.csv has the columns 'text', 'label'; it needs one with the images'"):
        datasets.open_path(str(films))


def test_only_the_roots_are_read(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    (films / "clear" / "link.png").symlink_to(tmp_path / "secret.png")
    assert len(datasets.open_path(str(films)).rows) == 4
    monkeypatch.setenv("VITRINE_ROOTS", str(films))
    assert len(datasets.open_path(str(films)).rows) == 3
    with pytest.raises(Refused, match=r"data is read only below .*films, and .* is not"):
        datasets.open_path(str(films / ".." / "secret.png"))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty", None, "there is no image in 'empty' (0 files seen)"),
        ("nothing", "", "there is nothing at"),
        ("x.docx", b"PK", "'x.docx' cannot be read here; give a CSV or TSV file of texts"),
        ("x.zip", b"no zip", "'x.zip' cannot be opened as a zip"),
    ],
)
def test_paths_that_hold_nothing(tmp_path: Path, name: str, data: bytes | str | None, sentence: str) -> None:
    if data is None:
        (tmp_path / name).mkdir()
    elif isinstance(data, bytes):
        (tmp_path / name).write_bytes(data)
    with pytest.raises(Refused, match=re.escape(sentence)):
        datasets.open_path(str(tmp_path / name))


def test_no_path_at_all() -> None:
    with pytest.raises(Refused, match="no path given"):
        datasets.open_path("  ")


def test_too_large_a_folder(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST_FILES", 2)
    with pytest.raises(Refused, match="'films' holds more than 2 files; give a smaller folder"):
        datasets.open_path(str(films))


def test_rows_beyond_the_bound_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST_TEXTS", 3)
    data = datasets.open_files([("x.csv", b"text,label\n" + b"".join(b"t%d,x\n" % i for i in range(9)))])
    assert [row.raw["text"] for row in data.rows] == ["t0", "t3", "t6"]
    assert "of 9 rows 3 were taken, spread evenly over all" in data.notes[-1]


def test_a_zip_of_a_folder_is_that_folder() -> None:
    data = packed(("films/clear/a.png", png()), ("films/lesion/b.png", png(9)), ("__MACOSX/films/._a.png", b"x"))
    assert labels(datasets.open_files([("films.zip", data)])) == {"clear/a.png": "clear", "lesion/b.png": "lesion"}
    alone = datasets.open_files([("x.zip", packed(("notes/x.csv", b"text,label\na,b\n")))])
    assert (alone.kind, alone.rows[0].label) == ("text", "b")


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([("../a.png", png())], "holds the name '../a.png', which leads out of it: it is refused whole"),
        ([("/etc/a.png", png())], "which leads out of it"),
        ([("C:\\a.png", png())], "which leads out of it"),
        ([("a.txt", b"x"), ("b.txt", b"y")], "there is no image in 'x.zip', and 2 tables of texts"),
        ([("a.pdf", b"x")], "there is no image in 'x.zip'"),
    ],
)
def test_zips_that_are_refused(members: list[tuple[str, bytes]], sentence: str) -> None:
    with pytest.raises(Refused, match=re.escape(sentence)):
        datasets.open_files([("x.zip", packed(*members))])


def test_zip_bombs_are_refused_by_their_header_and_by_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(("a.png", bytes(2_000_000)))
    monkeypatch.setattr(datasets, "MOST_BYTES", 1_000_000)
    with pytest.raises(Refused, match=r"^'x\.zip' would unpack to more than 0 MB"):
        datasets.open_files([("x.zip", bomb)])
    monkeypatch.setattr(datasets, "MOST_BYTES", 2**28)
    monkeypatch.setattr(datasets, "ONE_BYTES", 1_000_000)
    with pytest.raises(Refused, match=r"'a.png' in the zip unpacks to more than 0 MB"):
        datasets.open_files([("x.zip", bomb)])
    monkeypatch.setattr(datasets, "MOST_FILES", 1)
    with pytest.raises(Refused, match=r"'x.zip' holds 2 files; at most 1 are looked at"):
        datasets.open_files([("x.zip", packed(("a.png", png()), ("b.png", png())))])


def test_a_locked_zip_is_refused() -> None:
    data = bytearray(packed(("a.png", png())))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    with pytest.raises(Refused, match=r"'x.zip' is locked with a password"):
        datasets.open_files([("x.zip", bytes(data))])


def test_uploads_of_several_files() -> None:
    data = datasets.open_files(
        [("a.png", png()), ("../b.png", png(9)), ("labels.csv", b"file,label\na.png,x\n"), ("c.pdf", b"")]
    )
    assert labels(data) == {"a.png": "x", "b.png": None}
    assert data.notes[0] == "1 other file was left out, since it is no image"
    with pytest.raises(Refused, match="no file came"):
        datasets.open_files([])
    with pytest.raises(Refused, match=r"'a.pdf', 'b.exe' cannot be read here"):
        datasets.open_files([("a.pdf", b""), ("b.exe", b"")])


def test_columns_can_be_chosen_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = datasets.keep(store, datasets.open_files([("x.csv", b"text,title,label\na,b,c\nd,,f\n")]))
    other = datasets.choose(store, first, "title", "")
    found = datasets.fetch(store, other)
    assert found["columns"] == ["title", ""]
    assert [row["label"] for row in found["rows"]] == [None, None]
    assert found["rows"][1]["problem"] == "there is no text in the column 'title'"
    assert datasets.choose(store, other, "text", "label") == first  # by content
    with pytest.raises(Refused, match=r"x.csv has no column 'body'; its columns are: 'text', 'title', 'label'"):
        datasets.choose(store, first, "body", "")
    images = datasets.keep(store, datasets.open_files([("a.png", png())]))
    with pytest.raises(Refused, match=r"a\.png has no columns to choose from"):
        datasets.choose(store, images, "text", "")


def test_a_table_that_is_not_kept_and_what_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(Refused, match="the table of this link is not kept on this machine"):
        datasets.fetch(store, "0" * 64)
    store.put_document("1" * 64, {"prediction": []})
    with pytest.raises(Refused, match="something that is not a table of data"):
        datasets.fetch(store, "1" * 64)


def test_a_column_of_blanks_is_refused() -> None:
    sheet = datasets.open_files([("x.csv", b"text,label\na,\nb,\n")]).sheet
    assert sheet is not None
    with pytest.raises(Refused, match=r"the column 'label' of x.csv holds no text; choose another: 'text', 'label'"):
        datasets.make_text_rows(sheet, "label", "")


@pytest.mark.parametrize("name", datasets.EXAMPLES)
def test_examples_are_small_labelled_and_the_same_each_time(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    id = datasets.keep(store, datasets.make_example(name))
    assert id == datasets.keep(store, datasets.make_example(name))
    rows = datasets.fetch(store, id)["rows"]
    assert len(rows) >= 60
    assert all(row["label"] and row["digest"] for row in rows)
    assert sum(p.stat().st_size for p in (tmp_path / "inputs").iterdir()) < 2**20


def test_no_such_example() -> None:
    with pytest.raises(Refused, match="no example table 'x'; there are: triage, radiograph, names"):
        datasets.make_example("x")


def test_folders_of_splits_are_no_labels(tmp_path: Path) -> None:
    for split in ("train", "Val"):
        for kind in ("cat", "dog"):
            (tmp_path / split / kind).mkdir(parents=True)
            (tmp_path / split / kind / f"{split}.png").write_bytes(png())
    found = datasets.open_path(str(tmp_path))
    assert [row.label for row in found.rows] == ["cat", "dog", "cat", "dog"]
    assert any("Val and train name parts of the data set" in note for note in found.notes)


@pytest.mark.parametrize("sheet", ["labels.csv", "metadata.csv", "labels.tsv"])
@pytest.mark.parametrize(
    "table",
    [
        "file_name,label\n1.png,cat\n2.png,dog\n",
        "filename,label\n1,cat\n2,dog\n",
        "image_path,diagnosis\nimages/1.png,cat\nimages\\2.png,dog\n",
    ],
)
def test_tables_of_labels_as_people_write_them(tmp_path: Path, sheet: str, table: str) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / sheet).write_text(table.replace(",", "\t") if sheet.endswith("tsv") else table)
    assert [row.label for row in datasets.open_path(str(tmp_path)).rows] == ["cat", "dog"]


def test_a_label_is_given_to_no_other_file_of_the_same_name(tmp_path: Path) -> None:
    for name in ("1.png", "1.jpg"):
        (tmp_path / name).write_bytes(png())
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "2.png").write_bytes(png())
    (tmp_path / "labels.csv").write_text("file,label\n1.png,cat\nimages/2.png,dog\n")
    found = {row.name: row.label for row in datasets.open_path(str(tmp_path)).rows}
    assert found == {"1.png": "cat", "1.jpg": None, "a/2.png": None, "b/2.png": None}

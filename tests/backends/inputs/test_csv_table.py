"""Tables of texts from anywhere: encodings, separators, headings, quotes, and what is said of each."""

from __future__ import annotations

import csv
import io
import random
import re

import pytest

from backends.errors import Refused
from backends.inputs.csv_table import Sheet, read_sheet


@pytest.mark.parametrize(
    ("name", "data", "columns", "first"),
    [
        ("a.csv", b"text,label\nhello there,x\n", ("text", "label"), ("hello there", "x")),
        ("bom.csv", b"\xef\xbb\xbftext,label\na,b\n", ("text", "label"), ("a", "b")),
        ("utf16.csv", "text;label\nnaïf;x\n".encode("utf-16"), ("text", "label"), ("naïf", "x")),
        ("semi.csv", b"note;urgency\r\na, b;soon\r\nc;urgent\r\n", ("note", "urgency"), ("a, b", "soon")),
        ("tabs.tsv", b"text\tlabel\nno, none\tx\n", ("text", "label"), ("no, none", "x")),
        ("excel.csv", b"sep=;\ntext;label\na;b\n", ("text", "label"), ("a", "b")),
        ("quoted.csv", b'text,label\n"say ""no"",\nso",x\n', ("text", "label"), ('say "no",\nso', "x")),
        ("plain.txt", b"no fever, but pain\nchest, arm, pain\nfine\n", ("column 1",), ("no fever, but pain",)),
        ("bare.csv", b"mild pain,soon\nbad pain,urgent\nno,soon\n", ("column 1", "column 2"), ("mild pain", "soon")),
        ("twice.csv", b"text,text,,label\na,b,c,d\n", ("text", "text (2)", "column 3", "label"), ("a", "b", "c", "d")),
    ],
)  # fmt: skip
def test_what_is_read(name: str, data: bytes, columns: tuple[str, ...], first: tuple[str, ...]) -> None:
    sheet = read_sheet(data, name)
    assert sheet.columns == columns
    assert sheet.records[0] == first


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("text,label\nfièvre,x\n".encode("latin-1"), "is not UTF-8 (line 2), so it was read as Latin-1"),
        (b"a,soon\nb,soon\n", "no heading, so its columns are numbered"),
        (b"text,text,label\na,b,c\n", "names 'text' twice"),
        (b"text,label\na,b\n\n,,\nc,d\n", "2 empty lines were skipped"),
        (b"text,label\na,b\nc\n", "1 line has more or fewer cells than the others (the first is line 3)"),
    ],
)
def test_what_is_said(data: bytes, note: str) -> None:
    assert any(note in said for said in read_sheet(data, "x.csv").notes)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x.csv is empty; give a table with a heading"),
        (b"text,label\n", "has a heading (text, label) and nothing below it"),
        (b"text,label\n\n,\n", "has a heading and only empty lines below it"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it holds bytes that no text has"),
        (b"\xff\xfeabc", "is marked as utf-16 and is not"),
        (b'text,label\n"abc,d\nq,w\n', "cannot be read from line 2 on"),
        (b"text," + b"a," * 300 + b"b\n" + b"1," * 301 + b"2\n", "has 302 columns; at most 200 are read"),
    ],
)
def test_what_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=re.escape(sentence)):
        read_sheet(data, "x.csv")


def test_the_columns_are_told_apart_by_name_and_else_by_content() -> None:
    assert read_sheet(b"id,body,category\n1,a b c,x\n2,d,y\n", "x.csv").text == "body"
    assert read_sheet(b"id,body,category\n1,a b c,x\n2,d,y\n", "x.csv").label == "category"
    bare = read_sheet(b"a long text here,x\nanother long text,y\na third,x\n", "x.csv")
    assert (bare.text, bare.label) == ("column 1", "column 2")
    assert read_sheet(b"text\na\nb\n", "x.csv").label == ""


def test_a_sheet_survives_the_store() -> None:
    sheet = read_sheet(b"text,label\na,b\n\nc,d\n", "x.csv")
    assert Sheet.of(sheet.document()) == sheet
    assert sheet.lines == (2, 4)


def test_thirty_megabytes_of_commas_are_refused_before_they_are_cut() -> None:
    import tracemalloc

    data = b"," * (2 * 2**20) + b"\n" + b"a,b\n" * 10
    tracemalloc.start()
    with pytest.raises(Refused, match=r"x\.csv has 2,097,153 columns; at most 200 are read"):
        read_sheet(data, "x.csv")
    assert tracemalloc.get_traced_memory()[1] < 12 * len(data)  # cut into cells, they take some hundred bytes each
    tracemalloc.stop()


def test_a_file_of_commas_is_refused_soon() -> None:
    data = ("," * 150 + "\n").encode() * 100_000  # 15 MB
    with pytest.raises(Refused, match=r"more than 2,000,000 cells in its first 13,2\d\d lines; give fewer lines"):
        read_sheet(data, "commas.csv")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('sentence\tlabel\n"A triumph, said they.\t1\nDull.\t0\nBest of the year"\t1\n', 3),
        ('sentence\tlabel\n"Bold" is the word.\t1\nA dull film.\t0\n', 2),
        ('Quality\t#1 String\t#2 String\n1\t"I am pleased, he said.\tHe was.\n0\tFell.\t"Rose," he said.\n', 2),
    ],
)
def test_a_quotation_mark_in_a_tsv_is_text(text: str, rows: int) -> None:
    sheet = read_sheet(text.encode(), "a.tsv")
    assert [list(record) for record in sheet.records] == [line.split("\t") for line in text.splitlines()[1:]]
    assert len(sheet.records) == rows


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_tsv_that_a_spreadsheet_wrote_is_read_as_it_meant(quoting: int) -> None:
    records = [["text", "label"], ['He said "no".', "a"], ["two\nlines", "b"], ["a\ttab", "a"], ["plain", "b"]]
    file = io.StringIO()
    csv.writer(file, delimiter="\t", quoting=quoting).writerows(records)
    assert [list(r) for r in read_sheet(file.getvalue().encode(), "a.tsv").records] == records[1:]
    records = [["text", "label"], ['He said "no".', "a"], ["plain", "b"]]
    file = io.StringIO()
    csv.writer(file, delimiter="\t", quoting=quoting).writerows(records)
    assert [list(r) for r in read_sheet(file.getvalue().encode(), "a.tsv").records] == records[1:]


def test_a_cell_may_hold_a_chapter() -> None:
    long = "The patient was seen. " * 7000
    sheet = read_sheet(f'note,label\n"{long}",urgent\nchest pain,urgent\n'.encode(), "a.csv")
    assert [len(r[0]) for r in sheet.records] == [len(long), 10]


@pytest.mark.parametrize("seed", range(200))
def test_what_any_writer_wrote_is_what_is_read(seed: int) -> None:
    chance = random.Random(seed)
    pieces = ["fever", "chest pain", '"', "'", ",", ";", "é", "猫", "न", '5" screen', "\u202e", "=1+1", "😀", "0"]
    marks = {",": "a.csv", ";": "b.csv", "\t": "c.tsv", "|": "d.csv"}
    mark = chance.choice(list(marks))

    def cell() -> str:
        said = " ".join(chance.choice(pieces) for _ in range(chance.randint(1, 9))).replace("\t", " ")
        return f"t{said.replace(mark, ' ')}" if mark in ";|" else f"t{said}"

    quoting = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]) if mark != "\t" else csv.QUOTE_NONE
    records = [[cell(), chance.choice("ab"), cell()] for _ in range(chance.randint(2, 40))]
    file = io.StringIO()
    more = {"quotechar": None, "escapechar": None} if quoting == csv.QUOTE_NONE else {}
    end = chance.choice(["\n", "\r\n"])
    csv.writer(file, delimiter=mark, quoting=quoting, lineterminator=end, **more).writerows(
        [["text", "label", "rest"], *records]
    )
    data = file.getvalue().encode(chance.choice(["utf-8", "utf-8-sig", "utf-16"]))
    assert [list(r) for r in read_sheet(data, marks[mark]).records] == records

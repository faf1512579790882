"""Methods over a table: tables on offer, the job, what it shows while it runs, and its numbers in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.errors import Refused
from backends.inputs import datasets
from backends.jobs.engine import State
from backends.requests import key_of
from tests.viz.fakes import FILM, NAMES, TRIAGE, FakeEngine
from tests.viz.pages.evidence.audited import words_of
from viz.pages.evidence import dataset_test

CSV = b"text,label\nno fever,routine\nsevere pain,urgent\n,soon\nwhat,routine\nfever,urgent\n"
OPTIONS = {"replacement": "mask", "effort": 1, "seed": 0}
ROW = {
    "method": "occlusion",
    "rows": 10,
    "holds": 8,
    "cannot_tell": 1,
    "fails": 1,
    "rate": 0.8,
    "low": 0.49,
    "high": 0.94,
}
CONTROL = {**ROW, "method": "random_map", "holds": 0, "fails": 9, "rate": 0.0, "low": 0.0, "high": 0.28}
FOUND: dict[str, Any] = {
    "table": [ROW, CONTROL], "problems": {"lime": {"rows": 2, "first": "no text"}},
    "withdrawn": {"deep_lift": "It misses 92%."}, "rows": 10, "model": "bundled/triage", "data": "ab" * 32,
}  # fmt: skip


@pytest.fixture
def table(engine: FakeEngine) -> dict[str, Any]:
    id = datasets.keep(engine.store, datasets.open_files([("x.csv", CSV)]))
    return dataset_test.described(engine, TRIAGE, id)  # type: ignore[arg-type]


def test_tables_that_suit_the_model_are_offered_ones_own_first(engine: FakeEngine, table: dict[str, Any]) -> None:
    assert list(dataset_test.tables(engine, TRIAGE, None)) == ["triage", "names"]  # type: ignore[arg-type]
    assert list(dataset_test.tables(engine, NAMES, "x")) == ["names", "triage"]  # type: ignore[arg-type]
    assert list(dataset_test.tables(engine, FILM, table["id"])) == ["radiograph"]  # type: ignore[arg-type]
    own = dataset_test.tables(engine, TRIAGE, table["id"])  # type: ignore[arg-type]
    assert own[table["id"]] == "your table: x.csv (5)"
    assert list(dataset_test.tables(engine, TRIAGE, "9" * 64)) == ["triage", "names"]  # type: ignore[arg-type]


def test_a_table_is_described_by_the_rows_that_hold_an_input(engine: FakeEngine, table: dict[str, Any]) -> None:
    assert table["rows"] == [0, 1, 3, 4]
    assert table["labels"] == {"routine": [0, 3], "urgent": [1, 4]}
    assert "4 rows" in words_of(dataset_test.told(table))
    clip = {**FILM, "offers": [*FILM["offers"], "captions"]}
    with pytest.raises(Refused, match="compares two inputs"):
        dataset_test.described(engine, clip, "radiograph")  # type: ignore[arg-type]


def test_the_job_goes_over_rows_spread_evenly(table: dict[str, Any]) -> None:
    made = dataset_test.survey_request(TRIAGE, table, dataset_test.ANY, 2, "own", ["saliency", "nonsense"], OPTIONS)
    assert made["rows"] == [0, 3]
    assert list(made["methods"]) == ["saliency"]
    assert "smooth" in made["methods"]["saliency"]  # complete, so that one test has one key
    assert made["receipt"] == OPTIONS
    only = dataset_test.survey_request(TRIAGE, table, "urgent", 30, "label", ["saliency"], OPTIONS)
    assert (only["rows"], only["aim"]) == ([1, 4], "label")


@pytest.mark.parametrize(
    ("many", "tests", "sentence"),
    [(None, ["saliency"], "from 1 to 500"), (501, ["saliency"], "from 1 to 500"), (3, [], "no method is ticked")],
)
def test_what_cannot_be_asked_is_a_sentence(table: dict[str, Any], many: Any, tests: list[str], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        dataset_test.survey_request(TRIAGE, table, dataset_test.ANY, many, "own", tests, OPTIONS)
    with pytest.raises(Refused, match="no row that holds an input"):
        dataset_test.survey_request(TRIAGE, {**table, "rows": []}, dataset_test.ANY, 3, "own", ["saliency"], OPTIONS)


def test_what_a_running_job_has_is_shown_and_kept_when_it_is_stopped(engine: FakeEngine) -> None:
    request = {"job": "survey", "rows": [1]}
    asked, key = {"survey": request}, key_of(request)
    assert dataset_test.partial(engine, asked) is None  # type: ignore[arg-type]
    engine.states[key] = State("running", 0.5, preview=FOUND)
    so_far = dataset_test.partial(engine, asked)  # type: ignore[arg-type]
    assert so_far == {**FOUND, "asked": key}
    stopped = {"keys": {}, "sentences": {"survey": "cancelled"}}
    assert dataset_test.read(engine, stopped, so_far, asked) == (so_far, "", "cancelled")  # type: ignore[arg-type]
    other = {"survey": {"job": "survey", "rows": [2]}}
    assert dataset_test.read(engine, {}, so_far, other) == (None, "", "")  # type: ignore[arg-type]
    engine.store.put_document(key, FOUND)
    assert dataset_test.read(engine, {"keys": {"survey": key}}, so_far, asked) == (FOUND, key, "")  # type: ignore[arg-type]


def test_the_best_method_and_the_control_in_words() -> None:
    said = words_of(dataset_test.said(FOUND, "", True))
    assert "Occlusion holds most often: in 8 of 10 rows (80 %, 95 % interval 49 to 94 %)." in said
    assert "Of 10 maps drawn at random none held, 9 failed." in said
    assert "So far" not in said
    assert "So far 10 of 10 rows." in words_of(dataset_test.said(FOUND, "", False))
    stopped = words_of(dataset_test.said(FOUND, "cancelled", False))
    assert "Press the button to go on." in stopped
    one = {**FOUND, "table": [{**CONTROL, "rows": 1, "holds": 1}]}
    assert "Of 1 map drawn at random 1 held, by luck" in words_of(dataset_test.said(one, "", True))


def test_the_table_and_what_could_not_be_tested() -> None:
    made = dataset_test.table(FOUND["table"])
    rows = [words_of(row) for row in made.children[2].children]
    assert rows == ["Occlusion1081180 %49 to 94 %", "A map drawn at random100190 %0 to 28 %"]
    end = words_of(dataset_test.ending(FOUND, "ab" * 32))
    assert "LIME: 2 rows could not be tested: no text" in end
    assert "DeepLIFT: It misses 92%." in end
    assert f"/audits/{'ab' * 32}/csv" in str(dataset_test.ending(FOUND, "ab" * 32))


def test_the_link_carries_what_differs(shipped: Path) -> None:
    assert dataset_test.link_of("triage", dataset_test.ANY, 30, "own", ["lime"], False) == {
        "data": "triage", "labelled": "", "rows": "", "aim": "", "tests": "lime", "run": "",
    }  # fmt: skip
    made = dataset_test.link_of("triage", "urgent", 12, "label", ["lime", "saliency"], True)
    assert made == {"data": "triage", "labelled": "urgent", "rows": "12", "aim": "label", "tests": "lime,saliency",
                    "run": "1"}  # fmt: skip
    ids = {c.id: c for part in dataset_test.parts(made) for c in part._traverse() if getattr(c, "id", None)}
    assert ids["evidence-rows"].value == 12
    assert ids["evidence-tests"].value == ["lime", "saliency"]
    assert ids["evidence-labelled"].value == "urgent"
    assert ids["evidence-row-aim"].value == "label"


def test_what_was_found_is_of_this_model_and_table_or_goes() -> None:
    request = {"model": TRIAGE["name"], "revision": TRIAGE["revision"], "data": "ab" * 32}
    table = {"id": "ab" * 32}
    assert dataset_test.is_of({}, TRIAGE, table)
    assert dataset_test.is_of({"survey": request}, TRIAGE, table)
    assert not dataset_test.is_of({"survey": request}, NAMES, table)
    assert not dataset_test.is_of({"survey": request}, TRIAGE, {"id": "cd" * 32})
    assert not dataset_test.is_of({"survey": request}, None, table)


def test_who_leads_is_said_of_several_and_of_none() -> None:
    both = [ROW, {**ROW, "method": "lime"}, {**ROW, "method": "saliency", "rate": 0.1, "holds": 1}]
    assert words_of(dataset_test.leading(both)).startswith("Occlusion and LIME hold most often: in 8 of 10 rows")
    none = [{**ROW, "holds": 0, "rate": 0.0}]
    assert words_of(dataset_test.leading(none)) == "No method's map held on any of 10 rows."


def test_how_was_tested_is_said_whatever_is_picked_by_now() -> None:
    request = {"model": "bundled/triage", "receipt": {"replacement": "mask", "effort": 2}}
    said = dataset_test.tested_how({"survey": request})
    assert said == "bundled/triage; hidden parts became the mask token; tested twice as hard."
    assert dataset_test.tested_how(None) == ""

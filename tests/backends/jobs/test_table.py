"""A model's answers to a whole table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends.errors import Cancelled, Refused
from backends.inputs import datasets
from backends.jobs import table
from backends.methods.base import no_step
from backends.requests import Table
from backends.store import Store
from tests.backends.jobs.asking import Stop

NOTES = b"text,label\nno fever,routine\nsevere chest pain,URGENT\n,soon\nthe doctor saw mary,maybe\nfever a b c d e,\n"


def test_every_row_is_answered_or_says_why(opened: Any) -> None:
    model = opened("tiny_bert")
    answers = backends.table(model, datasets.open_files([("x.csv", NOTES)]))
    got = answers["rows"]
    assert [r["problem"] for r in got] == [
        "", "", "there is no text in the column 'text'", "the model has no class 'maybe'", "",
    ]  # fmt: skip
    assert got[1]["label"] == "urgent"
    assert [r["right"] is None for r in got] == [False, False, True, True, True]
    assert answers["summary"]["unknown"] == {"maybe": 1}
    assert answers["summary"]["failed"] == 1


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_resnet", "tiny_vit"])
def test_together_is_as_one_by_one(opened: Any, picture: Any, name: str) -> None:
    model = opened(name)
    if "pixels" in model.offers:
        given = [{"image": np.roll(picture, i, 0)} for i in range(9)]
    else:
        given = [{"text": t} for t in ("no fever", "chest pain", "severe chest pain", "mary saw john", "a b", "pain")]
    answers = backends.table(model, given)["rows"]
    for raw, answer in zip(given, answers, strict=True):
        alone = model.predict(model.encode(raw), 1)[0]
        assert answer["predicted"] == alone.label
        assert answer["probability"] == pytest.approx(alone.probability, rel=1e-4)


def test_bad_rows_do_not_stop_the_rest(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no")
    given = [{"image": tmp_path / "broken.png"}, {"image": np.zeros((8, 8, 3), np.uint8), "label": "clear"}]
    broken, whole = backends.table(opened("tiny_resnet"), given)["rows"]
    assert re.search("is not an image|damaged|no image", broken["problem"])
    assert whole["predicted"] in ("clear", "lesion")
    long = backends.table(opened("tiny_bert"), [{"text": "fever " * 90}, {"text": "fever"}])["rows"]
    assert "reads at most 48" in long[0]["problem"]
    assert long[1]["problem"] == ""


def asked(data: str) -> Table:
    return Table(model="m", revision="r", data=data)


def test_what_no_table_can_be_of(opened: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the table has no row"):
        backends.table(opened("tiny_bert"), [])
    store = Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    with pytest.raises(Refused, match=r"this table holds texts and .* reads images; choose another model"):
        table.perform(opened("tiny_resnet"), asked(id), store, no_step)


def test_an_input_that_was_evicted_is_that_rows_problem(opened: Any, tmp_path: Path) -> None:
    store = Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    gone = datasets.fetch(store, id)["rows"][0]["digest"]
    (tmp_path / "inputs" / f"{gone}.json").unlink()
    found = table.perform(opened("tiny_bert"), asked(id), store, no_step)["rows"]
    assert "no longer kept" in found[0]["problem"]
    assert found[1]["predicted"]


def test_a_table_is_cancelled_in_the_middle(opened: Any) -> None:
    stop = Stop(0.4)
    with pytest.raises(Cancelled):
        backends.table(opened("tiny_bert"), [{"text": "fever"}] * 200, stop)
    whole = Stop(2)
    backends.table(opened("tiny_bert"), [{"text": "fever"}] * 200, whole)
    assert whole.heard == sorted(whole.heard)
    assert whole.heard[-1] == 1.0


@pytest.mark.parametrize("name", ["triage", "radiograph"])
def test_bundled_models_do_as_their_gates_say(name: str) -> None:
    from backends import catalog
    from backends.bundled.data import radiograph, triage

    gate = next(f["value"] for f in catalog.card(f"bundled/{name}")["figures"] if f["name"].startswith("accuracy"))
    if name == "triage":
        given: list[dict[str, Any]] = [{"text": n.text, "label": n.label} for n in triage.notes(5, 200, "test")]
    else:
        made = radiograph.phantoms(5, 200, tag="none")
        given = [{"image": i, "label": radiograph.LABELS[k]} for i, k in zip(made.rgb, made.labels, strict=True)]
    summary = backends.table(backends.open_model(f"bundled/{name}"), given)["summary"]
    low, high = summary["interval"]
    assert summary["labelled"] == 200
    assert low <= gate <= high

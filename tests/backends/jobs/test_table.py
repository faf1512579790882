"""A model's answers to a whole table, what follows from them, and one method over it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends import registry, running
from backends.errors import Cancelled, Refused
from backends.inputs import datasets
from backends.jobs import table
from backends.requests import key_of
from backends.results import regroup
from backends.store import Store

NOTES = b"text,label\nno fever,routine\nsevere chest pain,URGENT\n,soon\nthe doctor saw mary,maybe\nfever a b c d e,\n"


def test_wilson_intervals_as_published() -> None:
    # Brown, Cai and DasGupta 2001; and the closed form at 0 and n
    assert table.wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert table.wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert table.wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert table.wilson(0, 0) == (0.0, 1.0)
    assert table.wilson(200, 200)[1] == 1.0  # not a hair below: a share of 1 lies within


def rows(*pairs: tuple[str | None, str | None]) -> list[dict[str, Any]]:
    return [{"label": a, "predicted": b, "right": None if a is None or b is None else a == b} for a, b in pairs]


def test_a_summary_by_hand() -> None:
    found = table.summary(
        rows(("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), (None, "a"), ("a", None)), ("a", "b", "c")
    )
    assert (found["labelled"], found["right"], found["failed"], found["rows"]) == (4, 3, 1, 6)
    assert found["accuracy"] == 0.75
    assert found["balanced"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["uneven"] is True
    assert found["confusion"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    by = {c["label"]: c for c in found["by_class"]}
    assert (by["a"]["recall"], by["a"]["precision"]) == (2 / 3, 1.0)
    assert (by["b"]["recall"], by["b"]["precision"]) == (1.0, 0.5)
    assert (by["c"]["recall"], by["c"]["precision"]) == (None, None)


def test_without_labels_there_is_no_accuracy() -> None:
    found = table.summary(rows((None, "a"), (None, "b")), ("a", "b"))
    assert "accuracy" not in found
    assert found["answers"] == {"a": 1, "b": 1}


def test_very_many_classes_are_cut_and_it_is_said() -> None:
    names = tuple(f"c{i}" for i in range(60))
    found = table.summary(rows(*((n, n) for n in names)), names)
    assert len(found["classes"]) == table.MOST_CLASSES
    assert found["hidden"] == 20


@pytest.mark.parametrize(("label", "means"), [("Urgent", "urgent"), (" no_finding", "no finding"), ("1", "no finding")])
def test_labels_are_the_models_classes_whatever_their_spelling(label: str, means: str) -> None:
    assert table.known(label, ("urgent", "no finding")) == means
    assert table.known("maybe", ("urgent", "no finding")) is None


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


def test_what_no_table_can_be_of(opened: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the table has no row"):
        backends.table(opened("tiny_bert"), [])
    store = Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    with pytest.raises(Refused, match=r"this table holds texts and .* reads images; choose another model"):
        table.perform_table(opened("tiny_resnet"), {"data": id}, store)


def test_an_input_that_was_evicted_is_that_rows_problem(opened: Any, tmp_path: Path) -> None:
    store = Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    gone = datasets.fetch(store, id)["rows"][0]["digest"]
    (tmp_path / "inputs" / f"{gone}.json").unlink()
    found = table.perform_table(opened("tiny_bert"), {"data": id}, store)["rows"]
    assert "no longer kept" in found[0]["problem"]
    assert found[1]["predicted"]


class Stop:
    """A step that cancels once `after` is reached, and keeps what it heard."""

    def __init__(self, after: float) -> None:
        self.after, self.heard = after, [0.0]

    def __call__(self, fraction: float) -> None:
        self.heard.append(fraction)
        if fraction > self.after:
            raise Cancelled


def test_a_table_is_cancelled_in_the_middle(opened: Any) -> None:
    stop = Stop(0.4)
    with pytest.raises(Cancelled):
        backends.table(opened("tiny_bert"), [{"text": "fever"}] * 200, stop)
    whole = Stop(2)
    backends.table(opened("tiny_bert"), [{"text": "fever"}] * 200, whole)
    assert whole.heard == sorted(whole.heard)
    assert whole.heard[-1] == 1.0


def asked(model: Any, data: str, method: str, rows: list[int], aim: str = "own") -> dict[str, Any]:
    options = registry.method(method).build({}).options()
    named = {"model": model.name, "revision": model.revision, "method": method, "options": options}
    return {"job": "sweep", **named, "data": data, "rows": rows, "aim": aim, "version": 1}


def test_words_over_a_table_are_the_mean_of_its_rows(opened: Any, tmp_path: Path) -> None:
    model, store = opened("tiny_bert"), Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    mean = table.perform_sweep(model, asked(model, id, "saliency", [0, 1, 2, 4]), store)
    assert set(mean.facts["keys"]) == {"0", "1", "4"}
    assert mean.facts["problems"] == {"2": "there is no text in the column 'text'"}
    given = datasets.fetch(store, id)["rows"]
    values = []
    for place in (0, 4):
        one = regroup(backends.run(model, "saliency", given[place]["text"]), "word")
        values += [v for w, v in zip(one.labels["token"], one.arrays["attribution"], strict=True) if w == "fever"]
    at = mean.labels["word"].index("fever")
    assert mean.arrays["mean"][at] == pytest.approx(np.mean(values), rel=1e-5)
    assert (mean.arrays["count"][at], mean.arrays["rows"][at]) == (2, 2)


def test_maps_over_a_table_are_the_mean_of_its_rows(opened: Any, picture: Any, tmp_path: Path) -> None:
    from PIL import Image

    model, store = opened("tiny_resnet"), Store(tmp_path)
    rows = [datasets.Row(f"{i}.png", {"image": Image.fromarray(np.roll(picture, i, 1))}, "lesion") for i in range(3)]
    id = datasets.keep(store, datasets.Dataset("image", "films", tuple(rows)))
    mean = table.perform_sweep(model, asked(model, id, "saliency", [0, 1, 2], "label"), store)
    each = [store.get_result(key) for key in mean.facts["keys"].values()]
    assert {r.target for r in each} == {"lesion"}
    assert mean.arrays["attribution"] == pytest.approx(np.mean([r.arrays["attribution"] for r in each], 0), abs=1e-6)
    assert mean.target == "each row's label"


def test_a_stopped_method_goes_on_where_it_was(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, store = opened("tiny_bert"), Store(tmp_path)
    text = b"text\n" + b"".join(b"fever and pain %d\n" % i for i in range(8))
    id = datasets.keep(store, datasets.open_files([("x.csv", text)]))
    request = asked(model, id, "saliency", list(range(8)))
    with pytest.raises(Cancelled):
        table.perform_sweep(model, request, store, Stop(0.49))
    computed = []
    run = running.run
    monkeypatch.setattr(running, "run", lambda *a, **k: computed.append(1) or run(*a, **k))
    table.perform_sweep(model, request, store)
    assert 0 < len(computed) <= 5
    computed.clear()
    table.perform_sweep(model, request, store)
    assert computed == []


def test_a_row_is_kept_as_the_attribution_page_asks_for_it(opened: Any, tmp_path: Path) -> None:
    from viz.components import workbench

    model, store = opened("tiny_bert"), Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    mean = table.perform_sweep(model, asked(model, id, "saliency", [0], "class:soon"), store)
    digest = datasets.fetch(store, id)["rows"][0]["digest"]
    card = {"name": model.name, "revision": model.revision}
    page = workbench.run_request(card, {"digest": digest, "text": "no fever"}, "saliency", {}, "soon")
    assert mean.facts["keys"]["0"] == key_of(page)
    assert store.has(key_of(page))


@pytest.mark.parametrize(
    ("rows", "aim", "sentence"),
    [
        ([], "own", "a method goes over 1 to 500 rows of the table at a time, not 0"),
        ([99], "own", "a method goes over 1 to 500 rows"),
        ([2], "own", "not one row could be computed: there is no text in the column 'text'"),
        ([4], "label", "not one row could be computed: this row has no label that could be explained"),
        ([3], "label", "not one row could be computed: the model has no class 'maybe'"),
    ],
)
def test_methods_over_rows_that_cannot_be(
    opened: Any, tmp_path: Path, rows: list[int], aim: str, sentence: str
) -> None:
    model, store = opened("tiny_bert"), Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    with pytest.raises(Refused, match=re.escape(sentence)):
        table.perform_sweep(model, asked(model, id, "saliency", rows, aim), store)


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

"""One method over a table: the mean of its rows, resumed where it stopped."""

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
from backends.jobs import method_over_rows
from backends.methods.base import no_step
from backends.requests import MethodOverRows, key_of
from backends.results import Result, regroup
from backends.store import Store
from tests.backends.jobs.asking import Stop

NOTES = b"text,label\nno fever,routine\nsevere chest pain,URGENT\n,soon\nthe doctor saw mary,maybe\nfever a b c d e,\n"


def asked(model: Any, data: str, method: str, rows: list[int], aim: str = "own") -> MethodOverRows:
    options = registry.method(method).build({}).options()
    named = {"model": model.name, "revision": model.revision, "method": method, "options": options}
    return MethodOverRows(**named, data=data, rows=rows, aim=aim)


def perform(model: Any, request: MethodOverRows, store: Store, step: Any = no_step) -> Result:
    return method_over_rows.perform(model, request, store, step)


def test_words_over_a_table_are_the_mean_of_its_rows(opened: Any, tmp_path: Path) -> None:
    model, store = opened("tiny_bert"), Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    mean = perform(model, asked(model, id, "saliency", [0, 1, 2, 4]), store)
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
    mean = perform(model, asked(model, id, "saliency", [0, 1, 2], "label"), store)
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
        perform(model, request, store, Stop(0.49))
    computed = []
    run = running.run
    monkeypatch.setattr(running, "run", lambda *a, **k: computed.append(1) or run(*a, **k))
    perform(model, request, store)
    assert 0 < len(computed) <= 5
    computed.clear()
    perform(model, request, store)
    assert computed == []


def test_a_row_is_kept_as_the_attribution_page_asks_for_it(opened: Any, tmp_path: Path) -> None:
    from viz.components import workbench

    model, store = opened("tiny_bert"), Store(tmp_path)
    id = datasets.keep(store, datasets.open_files([("x.csv", NOTES)]))
    mean = perform(model, asked(model, id, "saliency", [0], "class:soon"), store)
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
        perform(model, asked(model, id, "saliency", rows, aim), store)

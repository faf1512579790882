"""Methods over a table: counted, resumed, and a useless map among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import evidence, registry
from backends.errors import Cancelled, Refused, Unsettled
from backends.inputs import datasets
from backends.jobs import dataset_test, worker
from backends.jobs.model_cache import models
from backends.jobs.table_statistics import wilson
from backends.requests import DatasetTest
from tests.backends.jobs.asking import RECEIPT, Asking


def request(here: Asking, *methods: str, rows: Any = (0, 1, 2), **changes: Any) -> DatasetTest:
    data = datasets.keep(here.store, datasets.make_example("triage"))
    chosen = {m: registry.method(m).build({}).options() for m in methods}
    about = {"data": data, "rows": list(rows), "aim": "own", "methods": chosen, "receipt": RECEIPT}
    return here.request(DatasetTest, **{**about, **changes})


@pytest.fixture
def here(tmp_path: Path) -> Asking:
    return Asking(tmp_path, "bundled/triage")


def test_verdicts_are_counted_with_their_intervals_and_the_random_map_stands_last(here: Asking) -> None:
    made = here.do(request(here, "occlusion", "integrated_gradients", rows=range(6)))
    assert [row["method"] for row in made["table"]][-1] == dataset_test.PLANTED
    for row in made["table"]:
        assert row["holds"] + row["cannot_tell"] + row["fails"] == row["rows"] == 6
        assert (row["low"], row["high"]) == wilson(row["holds"], 6)
        assert row["rate"] == row["holds"] / 6
    assert made["table"][-1]["fails"] >= 5
    assert made["table"][0]["holds"] >= 4
    assert made["rows"] == 6


def test_it_shows_what_it_has_and_goes_on_where_it_was(here: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(here, "saliency", "occlusion")
    shown: list[Any] = []

    class Step:
        def __call__(self, fraction: float) -> None:
            if fraction > 0.5:
                raise Cancelled("enough")

        def tell(self, fraction: float, preview: Any) -> None:
            shown.append(preview())
            self(fraction)

    with pytest.raises(Cancelled):
        worker.perform(asked.plain(), str(here.folder), Step())
    counts = [sum(row["rows"] for row in preview["table"]) for preview in shown]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4}
    tested: list[str] = []
    real = evidence.receipt
    monkeypatch.setattr(evidence, "receipt", lambda m, r, *a, **k: tested.append(r.method) or real(m, r, *a, **k))
    made = here.do(asked)
    assert len(tested) == 5  # of nine, four were kept
    assert sum(row["rows"] for row in made["table"]) == 9


def test_rows_and_methods_that_cannot_be_are_told(here: Asking) -> None:
    document = datasets.fetch(here.store, request(here, "saliency").data)
    document["rows"][1] |= {"digest": None, "problem": "there is no text in it"}
    here.store.put_document("ab" * 32, document)
    made = here.do(request(here, "saliency", "deep_lift", data="ab" * 32))
    assert made["problems"]["saliency"] == {"rows": 1, "first": "there is no text in it"}
    assert "DeepLIFT's parts miss" in made["withdrawn"]["deep_lift"]
    assert {row["method"]: row["rows"] for row in made["table"]} == {"saliency": 2, dataset_test.PLANTED: 2}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": []}, "over 1 to 500 rows of the table at a time, not 0"),
        ({"rows": [999]}, "over 1 to 500 rows"),
        ({"methods": {}}, "tick at least one"),
    ],
)
def test_what_is_asked_is_bounded(here: Asking, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        here.do(request(here, "saliency", **changes))


def test_a_random_map_is_the_same_for_the_same_row_and_knows_nothing(here: Asking) -> None:
    model = models().get("bundled/triage")
    raw = {"text": "no fever but severe chest pain"}
    one, again, other = (dataset_test.planted(model, raw, seed).arrays["attribution"] for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one[0] == one[-1] == 0  # special tokens
    film = dataset_test.planted(models().get("bundled/radiograph"), {"image": np.zeros((64, 64, 3), np.uint8)}, 1)
    values = film.arrays["attribution"]
    assert values.shape == (64, 64)
    assert np.abs(np.diff(values, axis=0)).max() < 0.5  # smooth, its largest value being 1
    assert np.abs(values).max() == pytest.approx(1)


def test_memory_that_ran_out_is_asked_for_again(here: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_options: Any) -> Any:
        raise Unsettled("memory ran out")

    monkeypatch.setattr(evidence, "receipt", full)
    with pytest.raises(Unsettled):
        here.do(request(here, "saliency"))


def test_a_map_that_is_the_same_for_all_answers_is_tested_with_the_one_asked_about(here: Asking) -> None:
    asked = request(here, "attention_rollout", "saliency", rows=[0], aim="class:routine")
    targets = []
    real = evidence.receipt
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evidence, "receipt", lambda *a, **k: targets.append(real(*a, **k).facts["target"]) or real(*a, **k)
        )
        here.do(asked)
    assert set(targets) == {"routine"}
    assert len(targets) == 3

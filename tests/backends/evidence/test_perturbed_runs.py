"""Maps made again: of a noisy input, of shuffled weights; and the job that makes a receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends import catalog
from backends.evidence import perturbed_runs
from backends.evidence.measures import randomisation, stability
from backends.jobs import worker
from backends.requests import key_of, receipt_key
from backends.results import VERSION
from backends.store import Store

TEXT = {"text": "no fever but severe chest pain"}


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_vit"])
def test_stability_and_sensitivity(name: str, fresh: Callable[[str], Any], picture: np.ndarray) -> None:
    from tests.conftest import raw_for

    model = fresh(name)
    raw = raw_for(name, picture)
    result = backends.run(model, "saliency", raw)
    batch = model.encode(raw)
    line = stability.line(model, batch, result, None)
    assert line.value == pytest.approx(stability.line(model, batch, result, None).value)
    assert -1 <= line.value <= 1  # type: ignore[operator]
    assert "Explained again with noise that one hardly sees (2%)" in line.sentence
    small = stability.sensitivity(model, batch, result, None, radius=1e-6, samples=2)
    large = stability.sensitivity(model, batch, result, None, radius=0.05, samples=2)
    assert 0 <= small < large


def test_weights_are_shuffled_in_a_copy(fresh: Callable[[str], Any]) -> None:
    model = fresh("tiny_bert")
    before = [p.clone() for p in model.module.parameters()]
    other = perturbed_runs.shuffled(model)
    assert all((a == b).all() for a, b in zip(before, model.module.parameters(), strict=True))
    for a, b in zip(before, other.module.parameters(), strict=True):
        assert a.flatten().sort().values.equal(b.flatten().sort().values)
    result = backends.run(model, "saliency", TEXT)
    line = randomisation.line(model, model.encode(TEXT), result, None)
    assert line.name == "weights"
    assert "With the network's weights shuffled" in line.sentence


def test_the_job_keeps_a_receipt_with_its_result(tiny_bert: Path, tmp_path: Path) -> None:
    source, store = catalog.resolve(str(tiny_bert)), Store(tmp_path)
    run = {
        "job": "run", "model": source.name, "revision": source.revision, "method": "saliency", "options": {},
        "input": store.put_input(TEXT), "target": None, "version": VERSION,
    }  # fmt: skip
    seen: list[float] = []
    asked = {**run, "job": "receipt", "receipt": {"replacement": "", "effort": 1, "seed": 0}}
    made = worker.perform(asked, str(tmp_path), seen.append)
    assert made["verdict"] in ("holds", "fails", "cannot tell")
    assert len(made["lines"]) <= 5
    assert seen == sorted(seen)
    assert store.get_document(receipt_key(key_of(run))) == made


def test_another_input_keeps_what_stands_beside_it() -> None:
    from backends.models.base import Batch

    pair = Batch({"text": "a b c", "pair": "x y", "ids": [1, 2, 3]}, {}, text="a b c")
    assert perturbed_runs.another(pair) == {
        "text": "c b a",
        "pair": "x y",
    }  # the tokens of the other order are not known
    image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    captioned = perturbed_runs.another(Batch({"image": image, "text": "one\ntwo"}, {}, image=image))
    assert captioned["text"] == "one\ntwo"
    assert captioned["image"].shape == image.shape
    assert not (captioned["image"] == image).all()

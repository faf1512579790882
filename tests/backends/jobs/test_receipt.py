"""The receipt of a map as a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import catalog, evidence
from backends.jobs import worker
from backends.requests import Receipt, Run, receipt_key
from backends.store import Store


@pytest.fixture
def run(tiny_bert: Path, tmp_path: Path) -> Run:
    source = catalog.resolve(str(tiny_bert))
    given = Store(tmp_path).put_input({"text": "no fever but severe chest pain"})
    named = {"model": source.name, "revision": source.revision, "input": given, "target": None}
    return Run(**named, method="saliency", options={})


def test_it_is_kept_beside_its_map(run: Run, tmp_path: Path) -> None:
    store = Store(tmp_path)
    seen: list[float] = []
    asked = Receipt.of_run(run, {"replacement": "", "effort": 1, "seed": 0})
    made = worker.perform(asked.plain(), str(tmp_path), seen.append)
    assert isinstance(made, dict)
    assert made["verdict"] in ("holds", "fails", "cannot tell")
    assert len(made["lines"]) <= 5
    assert seen == sorted(seen)
    assert store.get_document(receipt_key(run.key())) == made
    assert not store.has(run.key())  # the map is another job's to keep


def test_of_a_map_with_one_receipt_a_word_all_words_stay(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Told:
        def __init__(self, word: int) -> None:
            self.word = word

        def plain(self) -> dict[str, Any]:
            return {"verdict": "holds", "facts": {"word": self.word}}

    monkeypatch.setattr(evidence, "receipt", lambda *a, word, **k: Told(word))
    for word in (1, 4):
        worker.perform(Receipt.of_run(run, {"word": word}).plain(), str(tmp_path))
    kept = Store(tmp_path).get_document(receipt_key(run.key()))
    assert {word: about["facts"]["word"] for word, about in kept["words"].items()} == {"1": 1, "4": 4}

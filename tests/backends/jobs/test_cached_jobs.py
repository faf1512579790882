"""Checks, maps and receipts that several jobs need are computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import evidence, running
from backends.evidence import method_check
from backends.jobs import cached_jobs
from backends.jobs.model_cache import find_model
from backends.methods.base import no_step
from backends.requests import MethodReceipt, Receipt, receipt_key
from tests.backends.jobs.asking import RECEIPT, Asking


@pytest.fixture
def here(tiny_bert: Path, tmp_path: Path) -> Asking:
    return Asking(tmp_path, str(tiny_bert), raw={"text": "no fever but severe chest pain"})


def test_what_is_there_is_not_computed_again(here: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    request = here.tested(MethodReceipt, "saliency")
    model, run, tested = find_model(request), request.run(), Receipt.of_run(request.run(), RECEIPT)

    def compute() -> list[Any]:
        return [
            cached_jobs.check(model, request.check(), here.store, no_step),
            cached_jobs.compute_map(model, run, here.store, no_step).arrays["attribution"].tolist(),
            cached_jobs.compute_receipt(model, tested, here.store, no_step),
        ]

    before = compute()
    for module, name in ((method_check, "check"), (running, "run"), (evidence, "receipt")):
        monkeypatch.setattr(module, name, lambda *a, **k: pytest.fail("computed again"))
    assert compute() == before
    assert here.store.get_document(receipt_key(run.key())) == before[2]


def test_a_map_is_kept_or_not(here: Asking) -> None:
    run = here.tested(MethodReceipt, "saliency").run()
    cached_jobs.compute_map(find_model(run), run, here.store, no_step, keep_map=False)
    assert cached_jobs.find_map(here.store, run) is None
    cached_jobs.compute_map(find_model(run), run, here.store, no_step)
    assert cached_jobs.find_map(here.store, run) is not None


def test_a_receipt_says_how_far_it_is_with_and_without_its_map(here: Asking) -> None:
    run = here.tested(MethodReceipt, "occlusion").run()
    model, seen = find_model(run), list[float]()
    cached_jobs.compute_receipt(model, Receipt.of_run(run, RECEIPT), here.store, seen.append)
    assert seen == sorted(seen)
    assert min(seen) < 0.5 < max(seen)
    seen.clear()
    other = Receipt.of_run(run, {**RECEIPT, "seed": 1})
    cached_jobs.compute_receipt(model, other, here.store, seen.append)
    assert min(seen) < 0.5  # the map was there, so the whole bar is the receipt's


def test_a_receipt_about_another_answer_does_not_stand_beside_the_map(here: Asking) -> None:
    run = here.tested(MethodReceipt, "saliency").run()
    about_another = Receipt.of_run(run, {**RECEIPT, "target": "soon"})
    cached_jobs.compute_receipt(find_model(run), about_another, here.store, no_step)
    assert here.store.has(about_another.key())
    assert not here.store.has(receipt_key(run.key()))

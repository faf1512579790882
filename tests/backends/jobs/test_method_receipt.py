"""One method on one input: all that the evidence page's row needs, shared with the other pages' jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends import evidence
from backends.errors import Cancelled
from backends.evidence import masked_forwards
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.requests import Check, MethodReceipt, Receipt, receipt_key
from tests.backends.jobs.asking import RECEIPT, Asking


def test_a_row_holds_the_map_its_receipt_and_its_curves(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    request = here.tested(MethodReceipt, "integrated_gradients")
    made = here.do(request)
    assert made["withdrawn"] == ""
    assert made["map"] == request.run().key()
    result = here.store.get_result(made["map"])
    own = evidence.receipt(models().get("bundled/triage"), result, **RECEIPT).plain()
    assert [line["value"] for line in made["receipt"]["lines"]] == [line["value"] for line in own["lines"]]
    assert made["decides"] == "random parts"
    assert here.store.get_document(Receipt.of_run(request.run(), RECEIPT).key()) == made["receipt"]
    assert here.store.get_document(receipt_key(made["map"])) == made["receipt"]
    curve = made["curves"]
    assert curve["hidden"][0] == 0
    assert curve["hidden"][-1] == 1
    assert curve["brightest_first"][0] == pytest.approx(result.facts["output"], abs=1e-4)  # nothing is hidden
    assert curve["brightest_first"][-1] == pytest.approx(curve["darkest_first"][-1])  # everything is
    assert curve["srg"] == pytest.approx(curve["insertion"] - curve["deletion"])
    assert len(made["orders"]) == 4
    json.dumps(made, allow_nan=False)


def test_methods_of_one_input_share_one_bank(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/radiograph", 0)
    model = models().get("bundled/radiograph")
    masked_forwards.get_cache(model).clear()
    first = here.do(here.tested(MethodReceipt, "saliency"))
    second = here.do(here.tested(MethodReceipt, "hires_cam"))
    assert first["receipt"]["facts"]["forwards"] > 96
    assert second["receipt"]["facts"]["forwards"] < 40
    assert second["decides"] == "hiding"
    assert second["orders"] == first["orders"]


def test_a_method_that_is_not_valid_here_is_withdrawn_with_its_sentence(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    made = here.do(here.tested(MethodReceipt, "deep_lift"))
    assert set(made) == {"method", "withdrawn"}
    assert "DeepLIFT's parts miss the change" in made["withdrawn"]
    assert here.store.get_document(here.request(Check, method="deep_lift").key())["holds"] is False


def test_a_map_that_is_the_same_for_all_answers_is_tested_with_the_one_explained(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    made = here.do(here.tested(MethodReceipt, "attention_rollout", receipt={**RECEIPT, "target": "routine"}))
    assert made["target"] == made["receipt"]["facts"]["target"] == "routine"
    assert made["curves"]["brightest_first"][0] < 0  # the note is urgent
    assert not here.store.has(receipt_key(made["map"]))  # beside the map stands what it was asked for


def test_what_is_there_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends import running

    here = Asking(tmp_path, "bundled/triage")
    before = here.do(here.tested(MethodReceipt, "saliency"))
    monkeypatch.setattr(running, "run", lambda *a, **k: pytest.fail("computed again"))
    monkeypatch.setattr(evidence, "receipt", lambda *a, **k: pytest.fail("tested again"))
    assert worker.perform(here.tested(MethodReceipt, "saliency").plain(), str(tmp_path)) == before


def test_progress_never_goes_back_and_a_cancelled_row_stops(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/radiograph", 0)
    seen: list[float] = []
    here.do(here.tested(MethodReceipt, "occlusion"), seen.append)
    assert seen[0] >= 0
    assert max(seen) <= 1
    assert [s for s in seen if s >= 0.8] == sorted(s for s in seen if s >= 0.8)

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        worker.perform(here.tested(MethodReceipt, "hires_cam", target="no finding").plain(), str(tmp_path), stop)

"""The same map by a network that knows nothing, and one drawn at random: kept, compared and failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused, Unsettled
from backends.evidence import perturbed_runs
from backends.evidence.agreement import similarity
from backends.jobs import randomised_network
from backends.jobs.model_cache import models
from backends.requests import RandomisedNetwork, receipt_key
from tests.backends.jobs.asking import Asking


@pytest.mark.parametrize(("model", "method"), [("bundled/triage", "occlusion"), ("bundled/radiograph", "hires_cam")])
def test_what_knows_nothing_fails(tmp_path: Path, model: str, method: str) -> None:
    here = Asking(tmp_path, model)
    made = here.do(here.tested(RandomisedNetwork, method))
    assert made["receipts"]["trained"]["verdict"] == "holds"
    assert made["receipts"]["shuffled"]["verdict"] == "fails"
    assert made["receipts"]["random"]["verdict"] == "fails"
    own, other, drawn = (here.store.get_result(made["maps"][n]) for n in ("trained", "shuffled", "random"))
    a, b, c = (r.arrays["attribution"] for r in (own, other, drawn))
    assert a.shape == b.shape == c.shape
    assert made["line"]["value"] == pytest.approx(abs(similarity(a, b)), abs=1e-6)
    assert np.abs(c).max() == pytest.approx(np.abs(a).max(), rel=1e-5)  # so that one scale shows both
    assert (other.unit, other.signed) == (drawn.unit, drawn.signed) == (own.unit, own.signed)
    assert other.method == randomised_network.SHUFFLED
    assert "completeness_gap" not in other.facts


def test_the_other_network_explains_the_same_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Asking(tmp_path, "bundled/triage")
    targets: list[Any] = []
    real = perturbed_runs.explain_again
    monkeypatch.setattr(
        perturbed_runs,
        "explain_again",
        lambda m, r, raw, target, step: targets.append(target) or real(m, r, raw, target),
    )
    here.do(here.tested(RandomisedNetwork, "saliency"))
    assert targets == [2, 2]  # urgent, though none was named


def test_where_shuffled_weights_give_no_map_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Asking(tmp_path, "bundled/triage")
    real = perturbed_runs.explain_again

    def fussy(model: Any, *rest: Any) -> Any:
        if model is not here_model:
            raise Refused("it is flat")
        return real(model, *rest)

    here_model = models().get("bundled/triage")
    monkeypatch.setattr(perturbed_runs, "explain_again", fussy)
    made = here.do(here.tested(RandomisedNetwork, "input_x_gradient"))
    assert made["problem"] == "With shuffled weights there is no map at all: it is flat"
    assert set(made["maps"]) == {"trained", "random"}
    assert made["line"] is None


def test_where_another_input_cannot_be_read_there_is_no_chance_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Asking(tmp_path, "bundled/triage")
    monkeypatch.setattr(perturbed_runs, "make_other_input", lambda batch: {"image": "none"})
    made = here.do(here.tested(RandomisedNetwork, "saliency"))
    assert made["chance"] is None
    assert made["line"]["value"] > 0


def test_harder_tests_say_nothing_of_shuffled_weights_for_maps_that_no_method_made(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    harder = {"replacement": "", "effort": 2, "seed": 0}
    made = here.do(here.tested(RandomisedNetwork, "saliency", receipt=harder))
    lines = {name: [line["name"] for line in found["lines"]] for name, found in made["receipts"].items()}
    assert "weights" in lines["trained"]
    assert "weights" not in [*lines["shuffled"], *lines["random"]]


def test_every_receipt_is_kept_beside_its_map(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    made = here.do(here.tested(RandomisedNetwork, "saliency"))
    for name, key in made["maps"].items():
        assert here.store.get_document(receipt_key(key)) == made["receipts"][name]


def test_memory_that_ran_out_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Asking(tmp_path, "bundled/triage")

    def full(*_args: Any) -> Any:
        raise Unsettled("memory ran out")

    monkeypatch.setattr(perturbed_runs, "explain_again", full)
    with pytest.raises(Unsettled):
        here.do(here.tested(RandomisedNetwork, "saliency"))

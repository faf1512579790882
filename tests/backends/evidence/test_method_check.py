"""The gates: each fails on a method that deserves it, with its number in the sentence."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest

from backends import registry
from backends.errors import Cancelled
from backends.evidence import method_check
from backends.methods.attribution.base import Attribution
from backends.methods.attribution.guided_grad_cam import GuidedGradCam


@dataclass(frozen=True)
class Broken(Attribution):
    """Gives what the test asks for."""

    title: ClassVar = "Broken"
    source: ClassVar = "none, eq. 0"
    claims: ClassVar = 0.05
    answer: ClassVar = None

    def attribute(self, scoring):
        return type(self).answer(scoring)


@pytest.fixture
def broken(monkeypatch):
    def give(answer):
        entry = type("Broken", (Broken,), {"answer": staticmethod(answer), "__module__": "backends.methods.broken"})
        there = MappingProxyType({**registry.entries("methods"), "broken": entry})
        monkeypatch.setattr(registry, "entries", lambda package: there)

    return give


FAILURES = {
    "zero everywhere": lambda s: (np.zeros(len(s.batch.tokens)), {}),
    r"14% numbers that are not finite": lambda s: (np.r_[np.nan, np.ones(len(s.batch.tokens) - 1)], {}),
    "an empty map": lambda s: (np.zeros(0), {}),
    r"wrong axes on .*: \(3,\) values for \(7,\)": lambda s: (np.ones(3), {}),
    r"misses the change it explains by 40%.*at most 5% is valid": lambda s: (
        np.arange(len(s.batch.tokens)), {"completeness_gap": 0.4}
    ),
    r"hardly changes when the weights .* shuffled \(rank correlation 1.000\)": lambda s: (
        np.arange(len(s.batch.tokens)), {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FAILURES)
def test_a_method_that_means_nothing_is_withdrawn_with_its_number(opened, broken, sentence, monkeypatch):
    monkeypatch.setattr(method_check, "_choose_example", lambda model: {"text": "no fever but severe chest pain ."})
    monkeypatch.setattr("backends.models.base.Model.context", None, raising=False)
    model = opened("tiny_gpt2")
    plain = {"arrays": {}, "axes": {}, "labels": {}, "facts": {}}
    monkeypatch.setattr(type(model), "context", lambda self, batch: plain)
    broken(FAILURES[sentence])
    verdict = method_check.check(model, "broken")
    assert not verdict["holds"]
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(verdict["sentence"])


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_bert", "tiny_bert_mlm", "tiny_resnet", "tiny_vit"])
def test_sound_methods_hold_and_deep_lift_is_withdrawn_on_transformers(opened, name):
    for method in ("saliency", "integrated_gradients", "occlusion", "grad_cam"):
        verdict = method_check.check(opened(name), method)
        assert verdict["holds"], verdict
        assert verdict["figures"]["similarity_with_shuffled_weights"] < method_check.SAME
        assert "passes: finite and not empty" in verdict["sentence"]
    if name != "tiny_resnet":
        assert "miss the change of the answer by" in method_check.check(opened(name), "deep_lift")["sentence"]


def test_what_a_model_does_not_give_is_said(opened):
    verdict = method_check.check(opened("tiny_vit"), "guided_grad_cam")
    assert not verdict["holds"]
    assert "needs channels, relu, which" in verdict["sentence"]


def test_a_guided_method_without_relu_modules_is_withdrawn(opened, monkeypatch):
    monkeypatch.setattr(GuidedGradCam, "needs", frozenset())
    monkeypatch.setattr(GuidedGradCam, "attribute", lambda self, s: (s.fold(s.features), {}))
    verdict = method_check.check(opened("tiny_vit"), "guided_grad_cam")
    assert "guides nothing" in verdict["sentence"]
    assert verdict["figures"]["guided_change"] < 1e-3


def test_guided_grad_cam_holds_where_relus_are_modules(opened):
    verdict = method_check.check(opened("tiny_resnet"), "guided_grad_cam")
    assert verdict["holds"], verdict
    assert verdict["figures"]["guided_change"] > 0.1


def test_a_check_can_be_cancelled(opened):
    def step(fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        method_check.check(opened("tiny_vit"), "saliency", step)


@pytest.mark.parametrize("after", [0.1, 0.6])
def test_a_check_is_cancelled_in_the_middle_of_either_map(opened, after: float) -> None:
    """Each page asks for checks as it opens; one that does not heed its cancel costs the worker."""
    heard: list[float] = []

    def step(fraction: float) -> None:
        heard.append(fraction)
        if fraction > after:
            raise Cancelled

    with pytest.raises(Cancelled):
        method_check.check(opened("tiny_vit"), "lime", step)
    assert heard == sorted(heard)
    assert after < heard[-1] < after + 0.4, "between two forwards, not at the end"

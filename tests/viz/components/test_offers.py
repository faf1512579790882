"""Which methods a page proposes, and which of them have no tab of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from backends import registry
from backends.methods.base import Method
from tests.viz.fakes import FILM, TRIAGE
from viz.components import offers

LM: dict[str, Any] = {
    **TRIAGE, "offers": ["answer", "attention", "components", "gradient", "heads", "next_token", "residual", "tokens",
                         "unembedding"],
}  # fmt: skip


class Fresh(Method):
    """A method that somebody adds beside the others."""

    needs: ClassVar = frozenset({"residual"})
    question: ClassVar = "causal"
    title: ClassVar = "Fresh"
    source: ClassVar = "nobody, nowhere"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> type[Fresh]:
    methods = {**registry.entries("methods"), "fresh": Fresh}
    monkeypatch.setattr(registry, "entries", lambda package: methods)
    return Fresh


def test_what_is_offered_and_why_the_rest_is_not() -> None:
    there = offers.offered(TRIAGE, "attribution")
    assert "integrated_gradients" in there
    assert "guided_grad_cam" not in there
    why = offers.withheld(
        {**TRIAGE, "withdrawn": {"attention": "it is never computed"}, "offers": ["gradient"]}, "attribution"
    )
    assert "it is never computed" in why["attention_rollout"]
    assert "which this model does not give" in why["guided_grad_cam"]
    assert not set(there) & set(offers.withheld(TRIAGE, "attribution"))


def test_methods_say_their_order_and_another_on_images() -> None:
    names = ["saliency", "occlusion", "lime", "integrated_gradients", "hires_cam"]
    assert offers.by_order(names) == ["integrated_gradients", "occlusion", "hires_cam", "saliency", "lime"]
    assert offers.by_order(names, images=True)[:3] == ["occlusion", "hires_cam", "integrated_gradients"]


def test_a_view_has_the_methods_that_the_model_can_have() -> None:
    assert offers.seen_as(LM, "causal", "grid")[:2] == ["activation_patching", "causal_tracing"]
    assert offers.seen_as(FILM, "causal", "grid") == []
    assert offers.first(LM, "trajectory", "words") == "logit_lens"
    assert offers.first(TRIAGE, "trajectory", "words") == ""
    assert offers.needing("trajectory", "words") == "logit_lens"


def test_a_bundled_method_has_a_place() -> None:
    assert offers.unplaced(LM, "causal", ("contributions", "rivals", "circuit", "heads"), ("grid",)) == []
    assert offers.unplaced(LM, "trajectory", ("words", "states")) == []


def test_a_method_of_a_view_that_no_tab_draws_is_left_over(fresh: type[Fresh], monkeypatch: pytest.MonkeyPatch) -> None:
    assert offers.unplaced(LM, "causal", ("contributions", "rivals", "circuit", "heads"), ("grid",)) == ["fresh"]
    monkeypatch.setattr(fresh, "view", "grid")
    assert offers.unplaced(LM, "causal", ("contributions", "rivals", "circuit", "heads"), ("grid",)) == []
    assert offers.seen_as(LM, "causal", "grid")[-1] == "fresh"
    monkeypatch.setattr(fresh, "view", "circuit")  # a tab that draws one method keeps the one proposed first
    assert offers.unplaced(LM, "causal", ("circuit",), ("grid", "contributions", "rivals", "heads")) == ["fresh"]
    monkeypatch.setattr(fresh, "order", 1)
    assert "circuit" in offers.unplaced(LM, "causal", ("circuit",), ("grid",))

"""Which attribution methods are shown, and what is said of those that are not."""

from __future__ import annotations

from tests.viz.fakes import FILM, TRIAGE
from viz.components import method_choice, offers


def test_two_methods_that_suit_the_model_come_first() -> None:
    assert method_choice.chosen_for(TRIAGE, None) == ["integrated_gradients", "occlusion"]
    assert method_choice.chosen_for(FILM, None) == ["occlusion", "hires_cam"]
    assert method_choice.chosen_for(TRIAGE, ["guided_grad_cam", "saliency"]) == ["saliency"]
    assert len(method_choice.chosen_for(TRIAGE, list(offers.offered(TRIAGE, "attribution")))) == method_choice.MOST


def test_no_more_than_four_and_none_that_failed() -> None:
    four = ["integrated_gradients", "occlusion", "saliency", "lime"]
    boxes = {c["value"]: c["disabled"] for c in method_choice.choices(TRIAGE, four, {})}
    assert not any(boxes[m] for m in four)
    assert all(disabled for m, disabled in boxes.items() if m not in four)
    boxes = {c["value"]: c["disabled"] for c in method_choice.choices(TRIAGE, four[:1], {"lime": "zero everywhere"})}
    assert boxes["lime"]
    assert not boxes["saliency"]


def test_methods_that_a_link_asks_for_and_are_not_shown_are_told() -> None:
    told = method_choice.other_methods(TRIAGE, ["<b>", "guided_grad_cam", "saliency"])
    assert "“<b>” (there is no such method), Guided Grad-CAM (not available for this model)" in told
    assert told.endswith("Shown: Saliency.")
    assert method_choice.other_methods(TRIAGE, ["saliency"]) == ""
    assert method_choice.other_methods(TRIAGE, None) == ""
    every = list(offers.offered(TRIAGE, "attribution"))[:5]
    assert "(at most 4 stand side by side)" in method_choice.other_methods(TRIAGE, every)


def test_every_method_of_the_page_explains_itself() -> None:
    for name in offers.offered({"offers": ["gradient", "attention", "channels", "relu", "patches"]}, "attribution"):
        assert len(method_choice.question(name)) > 20
        assert "Source: " in str(method_choice.help_for(name))

"""The attribution page: methods → jobs → pictures → link."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.results import Result
from tests.viz.components.test_attribution_summary import text_result
from tests.viz.components.test_inputs import CLIP, PAIR, SEQ2SEQ
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from viz.components import method_choice, offers
from viz.pages.attribution import page as attribution

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
KEY = "ab" * 32


def film_result(unit: str = "logit per window", method: str = "occlusion") -> Result:
    values = np.zeros((64, 64), np.float32)
    values[25, 45] = 1
    arrays = {"attribution": values, "image": np.zeros((64, 64, 3), np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    return Result(method, arrays, axes, unit=unit, signed=True, target="lesion", facts={"output": 2.0})


def shown(result: Result | None = None, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "i": 0, "method": "integrated_gradients", "result": result, "why": "", "check": None, "scale": None, "key": KEY,
        "card": TRIAGE, "given": GIVEN, "by": "word", "mask": "", "view": {},
    }  # fmt: skip
    return dict(zip(attribution.PARTS, attribution.shown(**(given | changes)), strict=True))


def test_every_id_is_there_once(shipped: Path) -> None:
    made = attribution.layout(
        model="bundled/triage", methods="occlusion,nonsense", options='{"occlusion": {"size": 3}}'
    )
    ids = [str(c.id) for c in made._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    stores = {c.id: c.data for c in made._traverse() if type(c).__name__ == "Store" and hasattr(c, "data")}
    assert stores["attribution-wanted"] == ["occlusion", "nonsense"]  # told once the model is there
    assert stores["attribution-options"] == {"occlusion": {"size": 3}}


@pytest.mark.parametrize("options", ["{", "[1]", "null", '{"none": {}}', '{"occlusion": 3}', "[" * 10_000])
def test_nonsense_options_in_a_link_are_left_out(shipped: Path, options: str) -> None:
    assert attribution.linked_options({"options": options}) == {}
    attribution.layout(options=options, methods=["a", "b"], by="letter", same=["x"], opacity="much", mask="<b>")


def test_the_first_truth_is_outlined_and_a_link_that_asks_in_vain_is_told() -> None:
    known = {"digest": "d", "example": 0}
    truth = attribution.attribution_summary.masks(attribution.inputs.example_of(FILM, known))
    shown, options, kept, told = attribution.outline(FILM, known, None, "")
    assert (shown, kept, told) == ("", truth[0], "")
    assert [o["value"] for o in options] == [*truth, ""]
    assert attribution.outline(FILM, known, "moon", "moon")[3].children == (
        f"The link asks to outline 'moon', which is not known of this input; the {truth[0]} is outlined instead."
    )
    hidden, _, none, told = attribution.outline(FILM, {"digest": "d"}, truth[0], "moon")
    assert (hidden, none) == ("d-none", "")
    assert told.children.endswith("which is not known of this input; nothing is outlined.")


def test_two_methods_that_suit_the_model_come_first() -> None:
    assert attribution.chosen_for(TRIAGE, None) == ["integrated_gradients", "occlusion"]
    assert attribution.chosen_for(FILM, None) == ["occlusion", "hires_cam"]
    assert attribution.chosen_for(TRIAGE, ["guided_grad_cam", "saliency"]) == ["saliency"]
    assert len(attribution.chosen_for(TRIAGE, list(offers.offered(TRIAGE, "attribution")))) == attribution.MOST


def test_no_more_than_four_and_none_that_failed() -> None:
    four = ["integrated_gradients", "occlusion", "saliency", "lime"]
    boxes = {c["value"]: c["disabled"] for c in attribution.choices(TRIAGE, four, {})}
    assert not any(boxes[m] for m in four)
    assert all(disabled for m, disabled in boxes.items() if m not in four)
    boxes = {c["value"]: c["disabled"] for c in attribution.choices(TRIAGE, four[:1], {"lime": "zero everywhere"})}
    assert boxes["lime"]
    assert not boxes["saliency"]


def test_jobs_carry_checked_options_and_wrong_ones_are_told() -> None:
    options = {"integrated_gradients": {"steps": "32"}, "occlusion": {"size": -1}}
    requests, refused = attribution.asked(TRIAGE, GIVEN, "urgent", ["integrated_gradients", "occlusion"], options)
    assert list(requests) == ["integrated_gradients"]
    assert requests["integrated_gradients"]["options"]["steps"] == 32
    assert requests["integrated_gradients"]["target"] == "urgent"
    assert "Occlusion: size must be" in refused["occlusion"]
    assert attribution.asked(None, GIVEN, None, ["occlusion"], {}) == ({}, {})
    assert attribution.asked(FILM, GIVEN, None, ["occlusion"], {}) == ({}, {})


def test_chosen_methods_are_checked_first() -> None:
    wanted = attribution.to_check(TRIAGE, ["saliency"])
    assert next(iter(wanted)) == "saliency"
    assert set(wanted) == set(offers.offered(TRIAGE, "attribution"))
    assert wanted["saliency"]["job"] == "check"


def test_a_text_is_coloured_with_legend_facts_table_and_exports() -> None:
    card = shown(text_result(), scale=(-1.0, 1.0))
    assert card["class"] == "panel result"
    assert card["title"] == "Integrated gradients"
    assert card["area"] == "d-none"
    assert card["spec"] is None
    assert f"/results/{KEY}/csv" in str(card["exports"])
    assert "completeness gap" in str(card["facts"]).lower()


def test_an_image_is_a_canvas_with_the_outline_of_the_truth(shipped: Path) -> None:
    given = {"digest": "d" * 64, "example": 0}
    card = shown(film_result(), method="occlusion", card=FILM, given=given, mask="lesion", view={"opacity": "0.4"})
    spec = card["spec"]
    assert spec["map"] == f"/maps/{KEY}/attribution"
    assert spec["outline"] == "/examples/radiograph/0/lesion"
    assert spec["opacity"] == 0.4
    assert spec["group"] == "attribution"
    assert "lies on the lesion" in str(card["sentence"])
    assert "outline" not in shown(film_result(), method="occlusion", card=FILM, given=given, mask="")["spec"]


def test_a_method_that_failed_its_check_is_withdrawn_with_its_sentence() -> None:
    card = shown(text_result(), check={"holds": False, "sentence": "DeepLIFT misses the change by 40 %"})
    assert "Withdrawn for this model: DeepLIFT misses the change by 40 %" in str(card["sentence"])
    assert card["text"] == []
    assert card["exports"] == []
    good = shown(text_result(), check={"holds": True, "sentence": "passes"})
    assert "checked on this model" in str(good["verdict"])


def test_a_card_without_a_result_waits_or_says_why() -> None:
    assert "…" in str(shown()["sentence"])
    assert "no class 'x'" in str(shown(why="no class 'x'")["sentence"])
    assert shown(method=None)["class"] == "d-none"


def test_a_sentence_that_holds_for_all_is_told_once() -> None:
    why = {"a": "too long", "b": "too long"}
    assert attribution.common_sentence(["a", "b"], why) == "too long"
    assert attribution.common_sentence(["a", "b", "c"], why) == ""
    assert attribution.common_sentence(["a"], why) == ""
    assert attribution.common_sentence(["a"], why, {"too long"}) == "too long"  # told at the input: not here again
    assert attribution.common_sentence([], {}) == ""


def test_one_scale_for_results_of_one_unit() -> None:
    one, two = text_result(), text_result(method="deep_lift")
    scales, note = attribution.shared([one, two], "token", True)
    assert scales["integrated_gradients"] == scales["deep_lift"] == (-1.0, 1.0)
    assert "in logit: equal colours are equal numbers" in note
    scales, note = attribution.shared([film_result(), film_result("logit", "grad_cam")], "word", True)
    assert "measure different things: occlusion in logit per window; grad cam in logit" in note
    assert attribution.shared([one, two], "word", False) == (
        {}, "Each picture has its own scale: colours cannot be compared between them.",
    )  # fmt: skip


def test_the_headline_names_answer_and_target() -> None:
    result = text_result(facts={"text": "", "prediction": [{"label": "urgent", "probability": 0.991}]})
    said = str(attribution.headline({"integrated_gradients": result}, TRIAGE))
    assert "urgent" in said
    assert "99.1 %" in said
    assert attribution.headline({}, TRIAGE) == []


def test_the_headline_says_what_is_explained_of_two_things() -> None:
    told = {"facts": {"text": "", "prediction": [{"label": "Haus", "probability": 0.5}]}}
    found = {"integrated_gradients": text_result(**told)}
    assert "the answer so far stays as it is" in str(attribution.headline(found, SEQ2SEQ))
    assert "the captions stay as they are" in str(attribution.headline(found, CLIP))
    similar = {"integrated_gradients": text_result(facts={"text": "", "prediction": [], "output": 0.832})}
    said = str(attribution.headline(similar, PAIR))
    assert "0.832" in said
    assert "words of the first" in said
    encoder = {**FILM, "offers": ["attention", "pixels"]}
    assert "names no answers" in str(attribution.headline({"attention_rollout": film_result()}, encoder))


def test_methods_that_a_link_asks_for_and_are_not_shown_are_told() -> None:
    told = attribution.other_methods(TRIAGE, ["<b>", "guided_grad_cam", "saliency"])
    assert "“<b>” (there is no such method), Guided Grad-CAM (not available for this model)" in told
    assert told.endswith("Shown: Saliency.")
    assert attribution.other_methods(TRIAGE, ["saliency"]) == ""
    assert attribution.other_methods(TRIAGE, None) == ""
    every = list(offers.offered(TRIAGE, "attribution"))[:5]
    assert "(at most 4 stand side by side)" in attribution.other_methods(TRIAGE, every)


def test_what_a_link_asks_for_and_the_page_has_not_is_told(shipped: Path) -> None:
    assert attribution.unknown({}) == []
    old = attribution.unknown({"methods": "grad_cam", "options": json.dumps({"grad_cam": {"weights": "place"}})})
    assert "weights for each place are the method hires_cam" in old[0]
    told = " ".join(attribution.unknown({"by": "letter", "options": "["}))
    assert "by 'letter', which there is not: “by word” is shown instead" in told
    assert "options that cannot be read" in told
    assert "letter" in str(attribution.layout(by="letter"))


def test_a_model_that_no_method_fits_gets_a_sentence_and_doors() -> None:
    encoder = {**FILM, "name": "someone/cnn", "offers": ["pixels", "residual"]}
    said = str(attribution.nothing(encoder))
    assert "only encodes" in said
    assert "/trajectory?model=someone%2Fcnn" in said
    assert "/attention" not in said
    assert attribution.nothing(TRIAGE) == ""


def test_nothing_is_asked_for_before_all_is_given() -> None:
    alone = {"digest": "d" * 64, "text": "a cat"}
    assert attribution.asked(PAIR, alone, None, ["saliency"], {}) == ({}, {})
    assert list(attribution.asked(PAIR, {**alone, "pair": "a dog"}, None, ["saliency"], {})[0]) == ["saliency"]
    assert attribution.asked(CLIP, {"digest": "d" * 64, "image": True}, None, ["saliency"], {}) == ({}, {})


def test_results_that_are_gone_are_sentences(engine: FakeEngine) -> None:
    engine.store.put_result(KEY, text_result())
    found, why = attribution.results(engine, {"keys": {"a": KEY, "b": "cd" * 32}, "sentences": {"c": "cancelled"}})  # type: ignore[arg-type]
    assert list(found) == ["a"]
    assert "no longer kept here" in why["b"]
    assert why["c"] == "cancelled"


def test_the_link_restores_everything_that_differs(shipped: Path) -> None:
    options = {"occlusion": {"size": 3, "stride": 0}, "saliency": {"smooth": 999}}
    view = attribution.link_view(TRIAGE, GIVEN, ["a", "b"], ["occlusion", "saliency"], options, "sentence", "", False)
    assert view["path"] == "/attribution"
    assert view["keep"] == ["opacity", "threshold", "colours"]
    params = view["params"]
    assert params["methods"] == "occlusion,saliency"
    assert params["options"] == {"occlusion": {"size": 3}}
    assert (params["by"], params["same"], params["target"]) == ("sentence", "0", "a|b")
    assert attribution.linked_options({"options": json.dumps(params["options"])}) == params["options"]


def test_every_method_of_the_page_explains_itself() -> None:
    for name in offers.offered({"offers": ["gradient", "attention", "channels", "relu", "patches"]}, "attribution"):
        assert len(method_choice.question(name)) > 20
        assert "Source: " in str(attribution.help_for(name))

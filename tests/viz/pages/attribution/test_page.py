"""The attribution page: methods → jobs → pictures → link."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.results import Result
from tests.viz.attributions import film_result, text_result
from tests.viz.components.test_inputs import CLIP, PAIR
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from viz.components import offers
from viz.pages.attribution import page as attribution

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
KEY = "ab" * 32


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


def test_what_a_link_asks_for_and_the_page_has_not_is_told(shipped: Path) -> None:
    assert attribution.unknown({}) == []
    old = attribution.unknown({"methods": "grad_cam", "options": json.dumps({"grad_cam": {"weights": "place"}})})
    assert "weights for each place are the method hires_cam" in old[0]
    told = " ".join(attribution.unknown({"by": "letter", "options": "["}))
    assert "by 'letter', which there is not: “by word” is shown instead" in told
    assert "options that cannot be read" in told
    assert "letter" in str(attribution.layout(by="letter"))


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
    assert view["keep"] == list(attribution.VIEW)
    params = view["params"]
    assert params["methods"] == "occlusion,saliency"
    assert params["options"] == {"occlusion": {"size": 3}}
    assert (params["by"], params["same"], params["target"]) == ("sentence", "0", "a|b")
    assert attribution.linked_options({"options": json.dumps(params["options"])}) == params["options"]

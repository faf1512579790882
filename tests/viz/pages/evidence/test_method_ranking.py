"""All methods on one input: what is asked, how rows are ranked and told, and what stands beneath."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import registry
from backends.requests import key_of
from tests.viz.attributions import text_result
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.pages.evidence.audited import audit, located, words_of
from viz.components import offers, receipt, workbench
from viz.pages.evidence import method_ranking

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
FILM_GIVEN = {"digest": "e" * 64, "image": True, "example": 0}
OPTIONS = {"replacement": "mask", "effort": 1, "seed": 0}


def kept(engine: FakeEngine, requests: dict[str, Any], **audits: dict[str, Any]) -> dict[str, Any]:
    """The answers of a slot in which these audits are done."""
    for method, document in audits.items():
        engine.store.put_document(key_of(requests[method]), document)
    return {"keys": {m: key_of(requests[m]) for m in audits}, "sentences": {}}


def test_every_method_is_asked_for_the_quick_ones_first() -> None:
    requests = method_ranking.requests(TRIAGE, GIVEN, "urgent", OPTIONS)
    assert set(requests) == set(offers.offered(TRIAGE, "attribution"))
    costs = [registry.method(method).usual_runs() for method in requests]
    assert costs == sorted(costs)
    assert list(requests)[-1] == "shapley_sampling"
    one = requests["occlusion"]
    assert one["job"] == "audit"
    assert one["receipt"] == OPTIONS
    assert one["target"] == "urgent"
    run = workbench.run_request(TRIAGE, GIVEN, "occlusion", {}, "urgent")
    assert {**{k: v for k, v in one.items() if k != "receipt"}, "job": "run"} == run  # the page's own run
    assert method_ranking.requests(TRIAGE, None, None, OPTIONS) == {}
    assert method_ranking.requests(TRIAGE, {"digest": "d" * 64, "image": True}, None, OPTIONS) == {}


def test_maps_are_compared_once_all_that_can_be_are_there() -> None:
    asked = {"a": {}, "b": {}, "c": {}}
    half = {"keys": {"a": "1" * 64}, "sentences": {"b": "no"}}
    assert method_ranking.together_request(half, None, asked, TRIAGE) == {}
    whole = {"keys": {"a": "1" * 64, "c": "2" * 64}, "sentences": {"b": "no"}}
    made = method_ranking.together_request(whole, {"words": ["pain"]}, asked, TRIAGE)["together"]
    assert made["audits"] == whole["keys"]
    assert made["region"] == {"words": ["pain"]}
    assert (
        method_ranking.together_request({"keys": {}, "sentences": dict.fromkeys(asked, "x")}, None, asked, TRIAGE) == {}
    )


def test_the_best_stand_first_and_a_tile_leads_to_its_receipt(engine: FakeEngine, shipped: Path) -> None:
    requests = method_ranking.requests(FILM, FILM_GIVEN, ["lesion", "clear"], {**OPTIONS, "replacement": "blur"})
    found = {"saliency": audit("fails", 5.0), "occlusion": audit("holds", 1.0), "lime": audit("cannot tell", None)}
    alike = {"names": ["lime", "occlusion", "saliency"], "similarity": [[1, 0.8, 0.1], [0.8, 1, -0.2], [0.1, -0.2, 1]]}
    comparison = {"located": {"occlusion": located()}, "agreement": alike}
    table = method_ranking.wall(engine, found, comparison, requests, FILM, FILM_GIVEN, ["lesion", "clear"])  # type: ignore[arg-type]
    assert [tile.className for tile in table.children] == [
        "audit-tile audit-holds", "audit-tile audit-cannot-tell", "audit-tile audit-fails",
    ]  # fmt: skip
    assert [getattr(tile, "data-place") for tile in table.children] == ["1", "0", "2"]
    links = [c for c in table._traverse() if hasattr(c, "href")]
    assert [link.children for link in links] == ["Occlusion", "LIME", "Saliency"]
    href = links[0].href
    assert href.startswith("/attribution?model=bundled%2Fradiograph")
    assert "target=lesion%7Cclear" in href
    assert "methods=occlusion" in href
    assert "%22replacement%22%3A+%22blur%22" in href
    said = words_of(table)
    for words in ("✓ Holds", "✗ Fails", "? Cannot tell", "score falls by 1.00",
                  "as much hidden elsewhere: 0.001 to 0.50",
                  "110 new runs",
                  "Most like LIME (0.80), least like Saliency (−0.20).",
                  "Without its brightest part",
                  "points at it", "mass inside 0.60 (0.00–0.20)"):  # fmt: skip
        assert words in said, words
    assert "Hiding the brightest 8% drops" in said
    pictures = [c for c in table._traverse() if type(c).__name__ == "Img"]
    assert pictures[0].src == f"/audits/{'aa' * 32}/map"
    assert pictures[0].alt == "Map of Occlusion"


def test_a_texts_number_is_called_what_it_is() -> None:
    of_text = audit("holds", 0.9, "random parts")
    of_text["receipt"]["lines"][0]["about"] = {"words": True}
    assert "its bright words are worth 0.90" in words_of(method_ranking.number(of_text["receipt"]["lines"][0], of_text))
    of_picture = audit("holds", 0.9)
    other = {**of_picture["receipt"]["lines"][0], "name": "random parts", "value": None, "control": None}
    assert words_of(method_ranking.number(other, of_picture)) == receipt.TITLES["random parts"][0]


def test_nothing_is_said_of_likeness_before_maps_were_compared() -> None:
    assert method_ranking.nearest("lime", {}) == []
    assert method_ranking.nearest("lime", {"names": ["lime", "saliency"], "similarity": [[1, 0], [0, 1]]}) == []


def test_what_copies_reach_too_is_faded() -> None:
    near, far = (method_ranking.places(located(p=p)) for p in (0.01, 0.5))
    assert "located-chance" not in str(near)
    assert str(far).count("located-chance") == 3
    half = {**located(), "pointing": {"value": 0.25, "control": [0, 1], "p": 1}}
    assert "points at it by 25%" in words_of(method_ranking.places(half))


def test_words_are_coloured_and_special_tokens_left_out(engine: FakeEngine, shipped: Path) -> None:
    engine.store.put_result("aa" * 32, text_result())
    made = method_ranking.thumb(engine, "occlusion", audit(), TRIAGE, GIVEN)  # type: ignore[arg-type]
    assert made.role == "img"
    assert "Occlusion" in str(getattr(made, "aria-label"))
    text = text_result().facts["text"]
    assert words_of(made) == text
    assert any("truth" in (c.className or "") for c in made._traverse() if hasattr(c, "className"))
    gone = method_ranking.thumb(engine, "occlusion", audit(map="bb" * 32), TRIAGE, GIVEN)  # type: ignore[arg-type]
    assert "no longer kept" in words_of(gone)


def test_what_was_withdrawn_or_failed_stands_below_with_its_sentence(engine: FakeEngine) -> None:
    requests = method_ranking.requests(TRIAGE, GIVEN, None, OPTIONS)
    answers = kept(
        engine, requests, occlusion=audit(), deep_lift={"method": "deep_lift", "withdrawn": "It misses 92%."}
    )
    answers["sentences"] = {"lime": "memory ran out", "saliency": "cancelled"}
    found, why = method_ranking.read(engine, answers)  # type: ignore[arg-type]
    assert list(found) == ["occlusion"]
    listed, count, shown = method_ranking.withheld(TRIAGE, found, why)
    said = words_of(listed)
    assert "DeepLIFT: It misses 92%." in said
    assert "LIME: memory ran out" in said
    assert "Guided Grad-CAM: needs" in said
    assert "Saliency" not in said  # it was only stopped
    assert shown == "withheld"
    assert count.endswith("not available for this model and input")
    gone = {"keys": {"lime": "9" * 64}, "sentences": {}}
    assert "no longer kept" in method_ranking.read(engine, gone)[1]["lime"]  # type: ignore[arg-type]


def test_how_many_hold_is_said_first(engine: FakeEngine) -> None:
    engine.store.put_result("aa" * 32, text_result())
    found = {"a": audit("holds"), "b": audit("fails"), "c": audit("holds")}
    asked: dict[str, Any] = {name: {} for name in "abcde"}
    said = method_ranking.summary(engine, found, {"d": "cancelled"}, asked, TRIAGE, set())  # type: ignore[arg-type]
    words = " ".join(map(words_of, said))
    assert "2 of 3 maps hold, 0 cannot be told, 1 fail; 1 still to come." in words
    assert "Cancelled; nothing else was lost." in words


def test_a_sentence_that_all_share_is_told_once(engine: FakeEngine) -> None:
    why = dict.fromkeys("ab", "the text is too long")
    asked: dict[str, Any] = {name: {} for name in "ab"}
    made = method_ranking.summary(engine, {}, why, asked, TRIAGE, set())  # type: ignore[arg-type]
    assert [words_of(m) for m in made] == ["the text is too long"]
    assert method_ranking.summary(engine, {}, why, asked, TRIAGE, {"the text is too long"}) == []  # type: ignore[arg-type]
    assert method_ranking.summary(engine, {}, {"a": "one"}, asked, TRIAGE, set()) == []  # type: ignore[arg-type]


def test_the_end_tells_what_colours_mean_and_what_could_not_be_compared() -> None:
    made = method_ranking.ending({"a": audit()}, {"problem": "the region is empty"}, "ab" * 32)
    said = " ".join(map(words_of, [m for m in made if m]))
    assert "Red speaks for the answer" in said
    assert "the region is empty" in said
    assert f"/audits/{'ab' * 32}/csv" in str(made)
    assert method_ranking.ending({}, None, "") == []


@pytest.mark.parametrize("chosen", [["saliency"], []])
def test_curves_are_of_the_methods_chosen(chosen: list[str]) -> None:
    found = {"occlusion": audit(), "saliency": audit()}
    figure = method_ranking.curves(found, {"saliency": {}, "occlusion": {}}, chosen, False)
    assert [t.name for t in figure.data if t.showlegend] == ["random orders", *(["Saliency"] if chosen else [])]
    unseen = {t.name for t in figure.data if t.visible is False}
    assert unseen == {"Occlusion", "Saliency"} - ({"Saliency"} if chosen else set())
    assert "score of lesion (logit)" in str(figure.layout.yaxis.title.text)
    assert "3.25" in words_of(method_ranking.areas(found))


def test_the_picture_beneath_the_rectangle_is_the_one_the_model_saw() -> None:
    assert method_ranking.seen_picture({"a": audit()}).src == f"/maps/{'aa' * 32}/image"
    assert method_ranking.seen_picture({}) == []


def test_a_map_that_is_the_same_for_all_answers_is_tested_with_the_one_explained(engine: FakeEngine) -> None:
    card = {**TRIAGE, "offers": [*TRIAGE["offers"], *registry.method("attention_rollout").needs]}
    made = method_ranking.requests(card, GIVEN, "routine", OPTIONS)
    assert made["attention_rollout"]["target"] is None
    assert made["attention_rollout"]["receipt"] == {**OPTIONS, "target": "routine"}
    assert made["occlusion"]["receipt"] == OPTIONS
    assert "target" not in method_ranking.requests(card, GIVEN, None, OPTIONS)["attention_rollout"]["receipt"]
    href = method_ranking.address(card, GIVEN, "routine", made["attention_rollout"])
    assert "target%22" not in href


def test_a_flat_map_and_a_comparison_that_is_lost_are_told() -> None:
    flat = {name: {"value": 0.5, "control": None, "p": 1.0} for name in located()}
    assert "(this map is flat)" in words_of(method_ranking.places(flat))
    told = method_ranking.ending({"a": audit()}, None, "", "the maps of a are no longer kept here")
    assert "no longer kept here" in words_of(told)
    assert "cancelled" not in words_of(method_ranking.ending({"a": audit()}, None, "", "cancelled"))


def test_a_rule_calls_its_line_as_the_line_is_called() -> None:
    found = audit("fails", 0.1, "random parts")["receipt"]
    assert "“Hide random parts”" in receipt.ruling(found)
    found["lines"][0]["about"] = {"words": True}
    assert "“Hide random words”" in receipt.ruling(found)

"""The receipt beside a map: what is asked, what a link keeps, and what a reader sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.requests import key_of
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from viz.components import receipt, workbench

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
RUN = workbench.run_request(TRIAGE, GIVEN, "saliency", {}, "urgent")
ANSWERS = {"keys": {"saliency": "ab" * 32}, "sentences": {}}
THERE = receipt.stand_ins(TRIAGE)


def made(verdict: str = "holds", **facts: Any) -> dict[str, Any]:
    line = {
        "name": "hiding", "value": 3.1234, "control": [-0.1, 0.44], "verdict": verdict, "about": {},
        "sentence": "Hiding “pain” drops 'urgent' from 0.97 to 0.12; hiding another word leaves it at 0.91.",
    }  # fmt: skip
    bare = {**line, "name": "weights", "value": None, "control": None, "verdict": "cannot tell", "sentence": "No map."}
    done = {"replacement": "mask", "samples": 76, "seed": 0, "forwards": 93, "seconds": 0.84, "effort": 1, **facts}
    return {"lines": [line, bare], "verdict": verdict, "rule": "Because of “hiding”.", "facts": done}


def test_a_receipt_is_asked_for_every_map_that_is_there() -> None:
    requests = {"saliency": RUN, "occlusion": {**RUN, "method": "occlusion"}}
    wanted = receipt.asked(ANSWERS, requests, {}, THERE)
    assert list(wanted) == ["saliency"]
    assert wanted["saliency"] == {
        **RUN, "job": "receipt", "receipt": {"replacement": "mask", "effort": 1, "seed": 0},
    }  # fmt: skip
    assert receipt.asked(None, None, {}, {}) == {}
    harder = receipt.asked(ANSWERS, requests, {"saliency": {"effort": 4, "replacement": "pad"}}, THERE)
    assert harder["saliency"]["receipt"] == {"replacement": "pad", "effort": 4, "seed": 0}


def test_pictures_are_hidden_by_their_surroundings_first() -> None:
    assert list(receipt.stand_ins(FILM)) == ["surroundings", "blur", "mean"]
    assert list(THERE) == ["mask", "pad"]
    assert receipt.stand_ins(None) == {}
    assert receipt.standing({"replacement": "nonsense"}, THERE) == "mask"


def test_choosing_and_testing_harder_change_only_their_own_map() -> None:
    ids = receipt.Receipts("page", 2).id
    picked = {"saliency": ("mask", 0), "occlusion": ("pad", 1)}
    assert receipt.changed_options({}, picked, set(), ids) == {}
    after = receipt.changed_options({}, picked, {"page-receipt-harder-0"}, ids)
    assert after == {"saliency": {"effort": 2}}
    for _ in range(4):
        after = receipt.changed_options(after, picked, {"page-receipt-harder-0"}, ids)
    assert after["saliency"]["effort"] == receipt.EFFORTS[-1]
    after = receipt.changed_options(after, picked, {"page-receipt-standin-1"}, ids)
    assert after["occlusion"] == {"replacement": "pad"}


@pytest.mark.parametrize("text", ["{", "[1]", "null", '{"a": 3}', "[" * 10_000])
def test_nonsense_in_a_link_is_left_out(text: str) -> None:
    assert receipt.linked({"receipt": text}) == {}


def test_the_link_keeps_what_was_set() -> None:
    found = receipt.linked({"receipt": '{"saliency": {"replacement": "pad", "effort": 2, "evil": 1}}'})
    assert found == {"saliency": {"replacement": "pad", "effort": 2}}
    assert receipt.clean({"effort": 10**9, "replacement": ["x"]}, THERE)["effort"] == 1
    assert receipt.link_of({"saliency": {"effort": 2}, "gone": {"effort": 4}}, ["saliency"]) == {
        "saliency": {"effort": 2}
    }


def test_each_line_has_number_control_word_icon_and_sentence() -> None:
    requests = receipt.asked(ANSWERS, {"saliency": RUN}, {}, THERE)
    face, box, body, tools = receipt.parts_of("saliency", requests, made(), "")
    said = str(body)
    assert face == ""
    assert box == "receipt receipt-holds"
    assert tools == "receipt-tools"
    for words in ("Should you believe this map?", "✓", " Holds", "3.12", "(as much elsewhere: −0.10 to 0.44)",
                  "drops 'urgent' from 0.97 to 0.12", "Because of “Hide the brightest part”.",
                  "76 random trials (seed 0)",
                  "93 runs of the model",
                      "What was hidden became the mask token.",
                      "/attribution?model=bundled%2Ftriage", "methods=saliency",
                  " Cannot tell"):  # fmt: skip
        assert words in said, words


def test_the_badge_says_verdict_and_effect_and_the_lines_come_when_asked_why() -> None:
    head, effect, why, more = receipt.told(made(), "Should you believe this map?", ["more"])
    assert "seal-holds" in str(head)
    assert effect.children == (
        "Without its brightest part, the score falls by 3.12; as much hidden elsewhere: −0.10 to 0.44."
    )
    assert why.children[0].children == "Why?"
    assert "Because of" in str(why)
    assert more.children == ["more"]
    assert len(receipt.told(made(), "?")) == 3


def test_the_effect_is_told_in_plain_words() -> None:
    found = made(target="urgent")
    found["lines"][0]["about"] = {"unit": "probability", "whole": 0.9962, "left": 0.0007}
    assert receipt.effect(found) == (
        "Without its brightest part, “urgent” goes from 99.6\u00a0% to <\u00a00.1\u00a0%: the score falls by 3.12; "
        "as much hidden elsewhere: −0.10 to 0.44."
    )
    found["lines"][0].update(value=-1.69, about={})
    assert "the score rises by 1.69;" in receipt.effect(found)
    found["lines"][0].update(name="without it", value=14.1)
    assert receipt.effect(found).startswith("Without the word, its part changes by 14.10 grey levels;")
    found["lines"][0].update(name="another corruption", value=0.9)
    assert receipt.effect(found).startswith("With another corruption the grid comes out alike by 0.90;")
    found["lines"][0].update(name="somebody's own")
    assert receipt.effect(found) == "somebody's own: value 0.90 (control: −0.10 to 0.44)."
    found["lines"][0]["value"] = float("nan")
    assert receipt.effect(found).startswith("Because of")  # of no number nothing is said
    assert receipt.effect({**found, "lines": found["lines"][1:]}).startswith("Because of")  # no test gave a number


def test_a_map_that_fails_says_so_on_its_face() -> None:
    requests = receipt.asked(ANSWERS, {"saliency": RUN}, {}, THERE)
    face, box, body, _ = receipt.parts_of("saliency", requests, made("fails", effort=2), "")
    assert "✗ Do not rely on this map" in str(face)
    assert box == "receipt receipt-fails"
    assert "2 times the usual effort" in str(body)
    assert receipt.face(made("cannot tell")) == ""
    assert "seal-open" in str(receipt.mark("cannot tell"))


def test_waiting_and_refusals_are_said() -> None:
    requests = receipt.asked(ANSWERS, {"saliency": RUN}, {}, THERE)
    assert receipt.WAITING in str(receipt.parts_of("saliency", requests, None, "")[2])
    assert "No receipt: a test needs at least 4" in str(
        receipt.parts_of("saliency", requests, None, "a test needs at least 4")[2]
    )
    assert receipt.parts_of("", {}, None, "") == ["", "d-none", "", "d-none"]


def test_receipts_are_read_from_the_store(tmp_path: Path) -> None:
    engine: Any = FakeEngine(tmp_path)
    requests = receipt.asked(ANSWERS, {"saliency": RUN}, {}, THERE)
    key = key_of(requests["saliency"])
    found, why = receipt.read(engine, {"keys": {"saliency": key}}, requests)
    assert found == {}
    assert "ask for it again" in why["saliency"]
    engine.store.put_document(key, made())
    found, why = receipt.read(engine, {"keys": {"saliency": key, "gone": key}}, requests)
    assert (list(found), why) == (["saliency"], {})
    assert found["saliency"]["key"] == key


def test_every_id_stands_once() -> None:
    here = receipt.Receipts("page", 2)
    parts = [here.stores({}), *[here.box(i) for i in range(2)], *[here.face(i) for i in range(2)]]
    ids = [c.id for p in parts for c in [p, *p._traverse()] if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    assert all(i.startswith("page-") for i in ids)

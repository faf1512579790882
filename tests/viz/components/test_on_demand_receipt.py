"""Receipts on demand: what is asked for, what stays, what a reader sees."""

from __future__ import annotations

from typing import Any

from backends.requests import Receipt, Run
from tests.viz.components.test_receipt import made
from tests.viz.fakes import FakeEngine
from tests.viz.reading import text_of
from viz.components.on_demand_receipt import MOST, OnDemandReceipt

TEST = OnDemandReceipt("page", "should you believe this map?", "Test it", "Drawing", "Is it true of")
ALONE = OnDemandReceipt("page", "Does this stay?", "Repeat it", "Repeating")
RUN = Run(model="m", revision="r", method="daam", options={}, input="d" * 64, target=None).plain()
THERE = {f"a{i}": (f"“{word}”", RUN, {"word": i}) for i, word in enumerate("abcdef")}


def test_a_click_asks_for_one_more_and_the_oldest_goes() -> None:
    options, value, area, tested, wanted = TEST.asked(THERE, "a1", ["a0"], "a1", None)
    assert [o["value"] for o in options] == list(THERE)
    assert (value, area, tested) == ("a1", "retest", ["a0", "a1"])
    assert wanted["a1"] == Receipt.of_run(RUN, {"word": 1}).plain()
    tested = TEST.asked(THERE, "a5", [f"a{i}" for i in range(MOST)], "a5", None)[3]
    assert tested == ["a1", "a2", "a3", "a5"]
    again = TEST.asked(THERE, "a0", ["a0", "a1"], "a0", None)[3]
    assert again == ["a1", "a0"]


def test_what_a_link_asks_for_waits_for_the_map_and_nonsense_goes() -> None:
    options, value, area, _, wanted = TEST.asked({}, "", ["a1"], "", None)
    assert (options, value, area, wanted) == ([], "", "d-none", {})
    tested, wanted = TEST.asked(THERE, "", ["a1", "zz"], "", None)[3:]
    assert tested == ["a1"]
    assert list(wanted) == ["a1"]


def test_receipts_are_shown_newest_first_and_failing_is_said_on_the_picture(engine: FakeEngine) -> None:
    engine.store.put_document("1" * 64, made("fails", replacement="removed"))
    engine.store.put_document("2" * 64, made("holds", replacement="removed"))
    requests: dict[str, Any] = {"a0": {}, "a1": {}, "a2": {}, "a3": {}}
    answers = {"keys": {"a0": "1" * 64, "a1": "2" * 64}, "sentences": {"a2": "no such word"}}
    found = TEST.found(engine, answers, requests, THERE)  # type: ignore[arg-type]
    assert list(found) == ["“d”", "“c”", "“b”", "“a”"]
    said = text_of(TEST.shown(found))
    for words in (
        "“d”: Testing this map …",
        "“c”: no such word",
        "“b”: should you believe this map? ",
        "Drawn twice more",
    ):
        assert words in said, words
    assert "Do not rely on the map of “a”.  It failed its test" in text_of(TEST.failed(found))
    assert TEST.failed({"“b”": found["“b”"]}) == ""
    assert "Do not rely on this picture." in text_of(ALONE.failed({"x": found["“a”"]}))

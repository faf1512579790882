"""What can be played with: its jobs, its bars, and the sentence, each from answers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backends import catalog
from backends.requests import key_of
from tests.viz.callbacks import functions
from tests.viz.fakes import FakeEngine
from tests.viz.reading import text_of
from viz.pages.gallery import exhibit, film


def answer(before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    """The answer to an edit, as `edited_input.answer` gives it."""
    choices = [{"label": n, "before": before[n], "after": after[n]} for n in sorted(before, key=lambda n: -before[n])]
    flips = max(before, key=lambda n: before[n]) != max(after, key=lambda n: after[n])
    return {"choices": choices, "output": None, "flips": flips}


WHOLE = {"lesion": 0.999, "clear": 0.001}
TURNED = answer(WHOLE, {"lesion": 0.002, "clear": 0.998})
STAYED = answer(WHOLE, {"lesion": 0.97, "clear": 0.03})


@pytest.fixture
def shown() -> exhibit.Exhibit:
    found = film.exhibit()
    assert found is not None
    return found


def test_the_sentence_follows_from_the_answers(shown: exhibit.Exhibit) -> None:
    found = {"tag": TURNED, "lesion": STAYED, "tag,lesion": TURNED}
    assert shown.tell({}, []) == shown.tell({}, ["tag"]) == ""
    assert shown.tell(found, []).startswith("The network says lesion (99.9 %). ")
    assert shown.tell(found, ["tag"]) == (
        "Without the tag, the network says clear (99.8 %), no longer lesion: it had read the tag."
    )
    assert shown.tell(found, ["lesion"]) == (
        "Without the nodule, the network still says lesion (97.0 %): it does not need the nodule."
    )
    assert shown.tell(found, ["tag", "lesion"]).endswith("no longer lesion: it had read the tag.")


def test_an_honest_network_gets_another_sentence(shown: exhibit.Exhibit) -> None:
    found = {"tag": STAYED, "lesion": TURNED, "tag,lesion": TURNED}
    assert shown.tell(found, ["tag"]).endswith("still says lesion (97.0 %): it does not need the tag.")
    assert shown.tell(found, ["lesion"]).endswith("no longer lesion: it had read the nodule.")


def test_two_changes_that_each_turn_the_answer_give_no_reason(shown: exhibit.Exhibit) -> None:
    found = {"tag": TURNED, "lesion": TURNED, "tag,lesion": TURNED}
    said = shown.tell(found, ["tag", "lesion"])
    assert said == "Without the tag and without the nodule, the network says clear (99.8 %), no longer lesion."


def test_bars_flip_and_mark_where_they_stood() -> None:
    found = {"tag": TURNED}
    before, after = exhibit.bars(found, []), exhibit.bars(found, ["tag"])
    assert [row.className.split()[-1] for row in before] == ["won", "exhibit-answer"]
    assert [row.className.split()[-1] for row in after] == ["exhibit-answer", "won"]
    bar = after[0].children[1]
    assert bar.children[0].style == {"width": "0.2%"}
    assert bar.children[1].style == {"left": "99.9%"}
    assert exhibit.bars(found, ["lesion"]) == []


def test_answers_that_are_ever_first_have_a_bar() -> None:
    one = answer({"Mary": 0.9, "Eve": 0.05, "John": 0.04, "Al": 0.01}, {"Mary": 0.1, "Eve": 0.1, "John": 0.8, "Al": 0})
    assert exhibit.labels({"s2": one}) == ["Mary", "John"]
    assert exhibit.labels({"s2": STAYED}) == ["lesion", "clear"]
    assert exhibit.labels({}) == []


def test_every_combination_is_asked_for_once_on_the_whole_input(shown: exhibit.Exhibit, tmp_path: Path) -> None:
    engine: Any = FakeEngine(tmp_path)
    asked = shown.requests(engine)
    assert list(asked) == ["tag", "lesion", "tag,lesion"]
    assert {r["job"] for r in asked.values()} == {"edit"}
    assert asked["tag,lesion"]["edits"] == [list(c.edit) for c in shown.changes]
    assert asked["tag"]["revision"] == catalog.resolve(shown.model).revision
    assert "image" in engine.store.get_input(asked["tag"]["input"])


def test_clicks_show_what_is_known_and_a_second_click_restores(shown: exhibit.Exhibit, tmp_path: Path) -> None:
    engine: Any = FakeEngine(tmp_path)
    made = functions(lambda app: shown.register(app, engine, lambda made, last: [*made, last]))
    requests = made["arrive"](True)
    keys = {}
    for name, found in {"tag": TURNED, "lesion": STAYED}.items():
        keys[name] = key_of(requests[name])
        engine.store.put_document(keys[name], found)
    bars, said, drawn, href, *pressed = made["show"]({"keys": keys}, 1, None, None, None, requests)
    assert said.endswith("it had read the tag.")
    assert drawn == ["tag", "clear"]
    assert "clear" in text_of(bars)
    assert "touch=" in href
    assert requests["tag"]["input"] in href
    assert pressed == ["true", "false"]
    _, said, drawn, href, *pressed = made["show"]({"keys": keys}, 1, 1, None, None, requests)
    assert said.startswith("The network says lesion")
    assert "touch=" not in href
    assert pressed == ["false", "false"]
    _, said, *_ = made["show"]({"keys": keys}, 1, None, 1, None, requests)  # of both nothing is known yet
    assert said == shown.waiting
    _, said, *_ = made["show"]({"sentences": {"tag,lesion": "the worker is gone"}}, 1, None, 1, None, requests)
    assert said == "the worker is gone"


def test_what_is_kept_stands_on_the_page_from_the_first(shown: exhibit.Exhibit, tmp_path: Path) -> None:
    engine: Any = FakeEngine(tmp_path)
    assert shown.known() == {}  # outside of a server
    server = Flask(__name__)
    server.config["ENGINE"] = engine
    with server.app_context():
        assert shown.said().children == shown.waiting
        engine.store.put_document(key_of(shown.requests(engine)["lesion"]), STAYED)
        assert str(shown.said().children).startswith("The network says lesion (99.9 %).")
        assert "99.9 %" in text_of(shown.bars())

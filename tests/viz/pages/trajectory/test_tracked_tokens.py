"""The words that are followed besides the answer: which ones a link names, their jobs' names and their chips."""

from __future__ import annotations

import json

import pytest

from viz.pages.trajectory import figures, tracked_tokens


@pytest.mark.parametrize("nonsense", ["{", "7", '{"a": 1}', '[null, true, -1, "", [1]]', "x" * 5000, "[" * 3000])
def test_nonsense_in_the_link_follows_nothing(nonsense: str) -> None:
    assert tracked_tokens.followed_of({"tokens": nonsense}) == []
    assert tracked_tokens.followed_of({}) == []


def test_a_link_follows_ids_and_words_and_not_too_many() -> None:
    assert tracked_tokens.followed_of({"tokens": json.dumps([7, None, " drink", "x" * 99])}) == [7, " drink", "x" * 60]
    assert tracked_tokens.followed_of({"tokens": json.dumps(list(range(9)))}) == list(range(figures.MOST))


def test_the_other_side_of_a_pair_is_followed_first_and_once() -> None:
    assert tracked_tokens.followed([" Mary", " John"], [7, " John"]) == [" John", 7]
    assert tracked_tokens.followed(" Mary", [7]) == [7]
    assert tracked_tokens.followed(None, None) == []


def test_jobs_are_named_by_id_or_word() -> None:
    assert [tracked_tokens.token_name(t) for t in (7, "drink")] == ["token 7", "word drink"]


def test_a_chip_shows_its_word_and_stops_following_it() -> None:
    made = tracked_tokens.chip("trajectory", 2, 7, " drink", failed=False)
    assert made.id == {"type": "trajectory-drop", "index": 2}
    assert (made.children[0], made.className) == ("“·drink”", "chip")
    assert getattr(made, "aria-label") == "Stop following “·drink”"
    assert tracked_tokens.chip("trajectory", 0, 7, None, failed=False).children[0] == "“#7”"
    failed = tracked_tokens.chip("trajectory", 0, "xyz", None, failed=True)
    assert (failed.children[0], failed.className) == ("“xyz” (not in the vocabulary)", "chip chip-failed")

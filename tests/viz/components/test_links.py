"""What of a link is believed."""

from typing import Any

import pytest

from viz.components import links


def test_text_is_bounded_and_a_list_is_no_text() -> None:
    assert links.text({"a": "x" * 5000}, "a") == "x" * links.LONGEST
    assert links.text({"a": ["x", "y"]}, "a", "none") == "none"
    assert links.text({}, "a") == ""


def test_a_digest_is_64_hex_characters() -> None:
    assert links.digest({"input": "a" * 64}) == "a" * 64
    for wrong in ("a" * 63, "A" * 64, "../" + "a" * 61, ["a" * 64], None):
        assert links.digest({"input": wrong}) is None


def test_numbers_stay_within_their_bounds() -> None:
    assert links.number({"n": "7"}, "n") == 7
    for wrong in ("1e3", "-1", "99999999999", "", None, "٣"):
        assert links.number({"n": wrong}, "n", default=3, low=0, high=10) == 3


def test_choices_and_lists() -> None:
    assert links.choice({"by": "word"}, "by", ("token", "word"), "token") == "word"
    assert links.choice({"by": "letter"}, "by", ("token", "word"), "token") == "token"
    assert links.values({"m": "a,,b,c"}, "m", most=2) == ["a", "b"]


def test_a_link_leaves_out_what_is_empty() -> None:
    assert links.link("/x", model="bundled/a", text="", options={}) == "/x?model=bundled%2Fa"
    assert links.link("/x", options={"a": 1}) == "/x?options=%7B%22a%22%3A+1%7D"
    assert links.link("/x") == "/x"


def test_what_a_link_asks_for_and_is_not_there_is_told() -> None:
    tabs = {"lens": "Words by layer", "path": "Path"}
    assert links.unknown({}, "tab", tabs, "lens") == []
    assert links.unknown({"tab": "path"}, "tab", tabs, "lens") == []
    told = "The link asks for tab 'maze', which there is not: “Words by layer” is shown instead."
    assert links.unknown({"tab": "maze"}, "tab", tabs, "lens") == [told]
    assert links.unknown({"tab": ["a"]}, "tab", tabs, "lens")[0].startswith("The link asks for tab \"['a']\"")


@pytest.mark.parametrize(
    ("text", "value"), [("0.4", 0.4), ("1", 1.0), ("2", 0.7), ("nan", 0.7), ("x", 0.7), (None, 0.7)]
)
def test_shares_out_of_a_link(text: Any, value: float) -> None:
    assert links.share(text, 0.7) == value

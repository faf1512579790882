"""Heads in words, their ranking, and which one is shown first."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz.pages.attention.cases import attention, put
from viz.pages.attention import attention_link as link
from viz.pages.attention import heads


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"previous": 0.91}, "Head 1.2 looks mostly at the previous token (0.91 of its attention)."),
        ({"induction": 0.8}, "Head 1.2 acts as an induction head here: it looks mostly at the token that followed"),
        ({"induction": 0.8}, "(0.80 of its attention where there is one)."),
        ({"to_first": 0.3}, "looks partly at “no” (0.30 of its attention)."),
        (
            {"to_first": 0.6, "itself": 0.3},
            "looks mostly at “no” (0.60 of its attention), and at the very token it is at",
        ),
        ({"entropy": float(np.log(12)), "distance": 3.0}, "evenly over 12.0 tokens, 3.0 tokens away on average."),
        ({"entropy": 0.1}, "is focused: each token looks at about 1.1 tokens."),
    ],
)
def test_a_head_in_words(found: dict[str, float], words: str) -> None:
    assert words in heads.sentence("Head 1.2", found, "“no”")


def test_words_speak_of_patches_for_images() -> None:
    assert "over 5.0 patches, 2.0 patches away" in heads.sentence(
        "Head 0.0", {"entropy": float(np.log(5)), "distance": 2.0}, "[CLS]", "patch"
    )


def test_ranking_names_the_extreme_heads_first_and_skips_what_is_not_finite() -> None:
    values = put({(1, 2): 0.9, (0, 1): 0.5, (0, 0): np.nan}, fill=0.1)
    assert heads.ranking(values, most=2) == [(1, 2, pytest.approx(0.9)), (0, 1, pytest.approx(0.5))]
    assert heads.ranking(values, highest=False, most=1)[0][:2] == (0, 2)
    assert len(heads.ranking(values, most=99)) == 5


def test_the_first_head_shown_is_the_induction_head() -> None:
    result = attention(induction=put({(1, 1): 0.8}), previous=put({(0, 2): 0.6}))
    assert heads.striking(result) == (1, 1)
    assert link.picked(result, None) == {"layer": 1, "head": 1, "model": "bundled/names"}


def test_images_have_no_previous_token() -> None:
    tokens = ("[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2")
    result = attention(tokens, grid=(2, 2), entropy=put({(1, 2): 0.2}, fill=1.0))
    assert heads.offered(result) == ["to_first", "entropy", "distance"]
    assert heads.striking(result) == (1, 2)
    assert heads.unit_of(result, "distance") == "patches"


def test_shares_are_of_the_token_itself_and_of_later_special_tokens() -> None:
    pattern = np.array([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0.2, 0.8]], np.float32)
    assert heads.shares(pattern) == {"itself": pytest.approx(0.65)}
    assert heads.shares(pattern, [0, 2, 9])["special"] == pytest.approx((0 + 0.25 + 0.8) / 3)
    assert heads.shares(pattern[:2], [0]) == {}  # rows of a window: no token stands opposite itself


def test_the_strongest_pairs_leave_out_what_is_hidden_and_what_is_nothing() -> None:
    result = attention(("a", "b", "c"), part=(0, 0))
    result.arrays["pattern"][0, 0] = np.array([[1, 0, 0], [0.6, 0.4, 0], [0.1, 0.2, 0.7]])
    assert heads.pairs(result, hide_first=False, most=2) == [(0, 0, pytest.approx(1)), (2, 2, pytest.approx(0.7))]
    assert [p[:2] for p in heads.pairs(result, hide_first=True)] == [(2, 2), (1, 1), (2, 1)]

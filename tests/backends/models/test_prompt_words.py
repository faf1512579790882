"""Which tokens a prompt's words are, in one text encoder and in two."""

from __future__ import annotations

import pytest

from backends.errors import Refused
from backends.models.prompt_words import words_of
from tests.backends import pipelines
from tests.backends.pipelines import PROMPT


def test_words_are_found_by_their_characters_and_repeated_ones_stay_apart() -> None:
    found = words_of(PROMPT, [(pipelines.clip_tokenizer(), 32)])
    assert found.words == ("a", "zebra", "and", "a", "zebra", ",", "red")
    assert [PROMPT[a:b] for a, b in found.spans] == list(found.words)
    assert found.columns[1] == (2, 3, 4, 5, 6)
    assert found.columns[4] == (11, 12, 13, 14, 15)
    assert found.columns[6] == (17,)
    assert not set(found.columns[1]) & set(found.columns[4])
    assert not found.cut


def test_words_that_do_not_fit_are_named() -> None:
    found = words_of(PROMPT, [(pipelines.clip_tokenizer(), 12)])  # 10 tokens and the two special ones
    assert found.words == ("a", "zebra", "and", "a")
    assert found.cut == ("zebra", ",", "red")
    partly = words_of(PROMPT, [(pipelines.clip_tokenizer(), 14)])
    assert partly.words[-1] == "zebra"
    assert partly.cut == ("zebra", ",", "red")


def test_two_encoders_one_after_the_other_give_a_word_columns_of_both() -> None:
    clip, t5 = pipelines.clip_tokenizer(), pipelines.t5_tokenizer()
    found = words_of("a red", [(clip, 32), (t5, 40)])
    assert found.columns[1][0] == 2
    assert all(column >= 32 for column in found.columns[1][1:])
    assert len(found.columns[1]) >= 4


@pytest.mark.parametrize("text", ["Ein Zebra's Fell, rot!", "mother-in-law", "zebra  zebra\nred", "café red", "🦓 red"])
def test_every_word_of_any_text_has_tokens_that_cover_it(text: str) -> None:
    tokenizer = pipelines.clip_tokenizer(64)
    found = words_of(text, [(tokenizer, 64)])
    assert [text[a:b] for a, b in found.spans] == list(found.words)
    assert found.words[-1] in ("red", "rot", "mother-in-law", "!")
    every = [column for columns in found.columns for column in columns]
    assert len(every) == len(set(every))


def test_a_tokenizer_that_does_not_say_where_its_tokens_are_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(Refused, match=r"Slow does not say which characters its tokens are; save the pipeline"):
        words_of("a", [(Slow(), 8)])

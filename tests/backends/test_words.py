"""Words in every script: whole, in order, and no smaller than a token where a word has to be touched."""

from __future__ import annotations

import itertools
import random

import pytest

from backends import words

SCRIPTS = {
    "Latin": (0x41, 0x17F), "Greek": (0x370, 0x3FF), "Cyrillic": (0x400, 0x4FF), "Hebrew": (0x590, 0x5F4),
    "Arabic": (0x600, 0x6FF), "Devanagari": (0x900, 0x97F), "Tamil": (0xB82, 0xBFA), "Thai": (0xE01, 0xE5B),
    "Tibetan": (0xF00, 0xFDA), "Georgian": (0x10A0, 0x10FF), "Hangul": (0xAC00, 0xAFFF), "Kana": (0x3041, 0x30FF),
    "Han": (0x4E00, 0x4EFF), "marks": (0x300, 0x36F), "signs": (0x20, 0x40), "emoji": (0x1F600, 0x1F64F),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("नमस्ते दुनिया, कैसे हो?", "नमस्ते|दुनिया|,|कैसे|हो|?"),
        ("வணக்கம் உலகம்", "வணக்கம்|உலகம்"),
        ("مَرْحَبًا بالعالم", "مَرْحَبًا|بالعالم"),
        ("cafe\u0301 d'été, l’eau", "cafe\u0301|d'été|,|l’eau"),
        ("Don't stop-gap 3.14 a_b", "Don't|stop|-|gap|3.14|a_b"),
        ("한국어 단어", "한국어|단어"),
        ("👨\u200d👩\u200d👧 ok!", "👨\u200d👩\u200d👧|ok|!"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_words_of_many_scripts_are_whole(text: str, wanted: str) -> None:
    assert [text[a:b] for a, b in words.split(text)] == (wanted.split("|") if wanted else [])


def test_hyphens_join_where_they_are_asked_to() -> None:
    text = "a light-blue state-of-the-art circle - no -3 end-"
    found = [text[a:b] for a, b in words.split(text, hyphens=True)]
    assert found == ["a", "light-blue", "state-of-the-art", "circle", "-", "no", "-", "3", "end", "-"]


def made(seed: int) -> str:
    draw = random.Random(seed)
    low, high = draw.choice(list(SCRIPTS.values()))
    more = draw.choice(list(SCRIPTS.values()))
    letters = [chr(draw.randint(*(more if draw.random() < 0.2 else (low, high)))) for _ in range(draw.randint(0, 60))]
    return "".join(letter + " " * (draw.random() < 0.2) for letter in letters)


@pytest.mark.parametrize("seed", range(0, 2000, 8))
def test_spans_cover_the_text_exactly(seed: int) -> None:
    text = made(seed)
    spans = words.split(text)
    assert all(a < b for a, b in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    covered = {i for a, b in spans for i in range(a, b)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    letters = [(i, i + 1) for i in range(len(text))]
    assert words.touched(text, letters) == spans, "a token a letter touches every word by itself"
    assert words.touched(text, [(0, len(text))]) == ([(spans[0][0], spans[-1][1])] if spans else [])


def test_tokens_belong_to_the_word_that_they_begin_in() -> None:
    text = "no  fever."
    assert words.number(text, [(0, 2), (2, 4), (3, 7), (7, 9), (9, 10)]) == [1, 1, 2, 2, 3]
    assert words.number("  a", [(0, 1), (1, 3)]) == [0, 1]


def test_a_word_that_is_touched_is_no_smaller_than_a_token() -> None:
    assert words.touched("no fever.", [(0, 2), (3, 6), (6, 8), (8, 9)]) == [(0, 2), (3, 8), (8, 9)]
    assert words.touched("don't stop", [(0, 3), (3, 5), (5, 10)]) == [(0, 5), (6, 10)]
    assert words.touched("胸が痛い", [(0, 1), (1, 2), (2, 4)]) == [(0, 1), (1, 2), (2, 4)]
    assert words.touched("สวัสดีครับ", [(0, 6), (6, 10)]) == [(0, 6), (6, 10)]
    assert words.touched("read only this far", [(0, 4)]) == [(0, 4)], "the rest was cut off"
    assert words.touched("é", [(0, 1), (0, 1)]) == [(0, 1)], "two tokens of one letter, of a byte-level tokenizer"

"""Which parts decide: the request, the sentences that somebody reads aloud, and the input itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from backends.results import Result
from tests.viz import samples
from tests.viz.callbacks import connected
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.pages.evidence.audited import words_of
from viz.pages.evidence import important_parts, receipt_options

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain"}
KEY = "ab" * 32


def flip(parts: list[int], names: list[str], flips: bool = True, share: float = 0.02) -> dict[str, Any]:
    return {"parts": parts, "names": names, "flips": flips, "margin": -1.0, "asked": 9, "probability": share,
            "other": "routine", "other_probability": 0.9}  # fmt: skip


def result(squares: bool = False, **facts: Any) -> Result:
    made = samples.parts(squares=squares)
    usual = {"flips": flip([6], ["severe"]), "suffices": flip([5, 6], ["severe", "chest"], share=0.98)}
    return dataclasses.replace(made, facts={**made.facts, **usual, **facts})


def test_the_trial_is_asked_for_with_its_rate_and_its_least_effect() -> None:
    harder = receipt_options.options(TRIAGE, "pad", "4")
    made = important_parts.requests(TRIAGE, GIVEN, "urgent", harder, "0.05", "0.2")["parts"]
    assert (made["replacement"], made["rate"], made["least"], made["target"]) == ("pad", 0.05, 0.2, "urgent")
    assert made["effort"] == 4
    options = receipt_options.options(TRIAGE, "", "1")
    usual = important_parts.requests(TRIAGE, GIVEN, None, options, "all", None)["parts"]
    assert (usual["replacement"], usual["rate"], usual["least"]) == ("mask", 0.1, 0.05)
    assert important_parts.requests(TRIAGE, None, None, harder, "0.1", "0.05") == {}
    unfit, picture = {**FILM, "offers": ["pixels"]}, {"digest": "d" * 64, "image": True}
    assert important_parts.requests(unfit, picture, None, harder, "", "") == {}


@pytest.mark.parametrize(
    ("about", "squares", "words"),
    [
        (flip([6], ["severe"]), False, "Hide this word, “severe”, and the answer becomes “routine” (90.0 %; “urgent” "
         "falls from 97.0 % to 2.0 %)."),
        (flip([5, 6], ["but", "severe"]), False, "Hide these two words, “but” and “severe”, and the answer becomes"),
        (flip([1, 2, 3], ["a", "b", "c"]), False, "these three words, “a”, “b” and “c”, and"),
        (flip([1], ["row 1, column 2"]), True, "Hide this square and the answer becomes “routine”"),
        (flip([1, 2], ["x", "y"], False, 0.6), False, "Nothing small was found that turns this answer. Even with "
         "the two words that "
         "move it most hidden (“x” and “y”) the model still answers “urgent” (60.0 %)."),
    ],
)  # fmt: skip
def test_the_flip_in_words_that_a_clinician_reads(about: Any, squares: bool, words: str) -> None:
    assert words in words_of(important_parts.flip_sentence(result(squares, flips=about)))


def test_what_suffices_in_words() -> None:
    assert words_of(important_parts.suffice_sentence(result())) == (
        "These two words alone, “severe” and “chest”, keep the answer: with everything else hidden the model still "
        "says “urgent” (98.0 %)."
    )
    none = words_of(important_parts.suffice_sentence(result(suffices=flip([1], ["a"], False, 0.3))))
    assert none.startswith("No few words were found that alone keep this answer.")
    empty = words_of(important_parts.suffice_sentence(result(empty={"probability": 0.62})))
    assert "Even with everything hidden the model answers “urgent” (62.0 %)" in empty


def test_of_a_pair_the_answer_is_its_first_side() -> None:
    pair = dataclasses.replace(result(), target="a rather than b", request={"target": ["a", "b"]})
    assert important_parts.first(pair) == "a"


def test_how_many_matter_is_said_with_what_it_took() -> None:
    said = " ".join(words_of(p) for p in important_parts.said(result()))
    assert "Two words of 8 speak for “urgent”: hiding each moves the score by more than 0.20 (logit)" in said
    assert "at most 10 in 100 may be so by luck" in said
    assert "What was hidden became the mask token. 96 trials" in said
    made = result()
    nothing = dataclasses.replace(made, arrays={**made.arrays, "found": np.zeros(8, np.uint8)})
    assert "No word of 8 matters to “urgent” by itself: none was found to move" in words_of(
        important_parts.said(nothing)[0]
    )
    assert important_parts.mattering(made, 1, 0) == "One word of 8 speaks for “urgent”"
    assert important_parts.mattering(made, 0, 1) == "One word of 8 speaks against “urgent”"
    assert important_parts.mattering(result(True), 2, 12) == "Two squares of 16 speak for “urgent”, 12 against it"


def test_what_stands_in_for_a_square_can_raise_the_score_and_the_page_says_so() -> None:
    made = result(True)
    effect = np.where(made.arrays["found"] > 0, -1.0, 0.0)
    raised = dataclasses.replace(made, arrays={**made.arrays, "effect": effect})
    assert "What stands in for a square can raise the score by itself." in words_of(important_parts.said(raised)[1])
    assert "by itself" not in words_of(important_parts.said(result())[1])


def test_the_set_is_struck_out_of_the_text_or_all_else_is_faded() -> None:
    made = result()
    struck = important_parts._set_text(made, [6], "flips")
    assert words_of(struck) == made.facts["text"]
    assert [c.children for c in struck.children if type(c).__name__ == "Del"] == ["chest"]
    kept = important_parts._set_text(made, [5, 6], "suffices")
    assert [c.children for c in kept.children if getattr(c, "className", "") == "kept"] == ["severe", "chest"]
    assert sum(getattr(c, "className", "") == "faded" for c in kept.children) == 6


def test_the_squares_of_a_set_are_outlined_and_the_other_picture_shown() -> None:
    made = result(True, flips=flip([1, 5], ["x", "y"]))
    without = np.zeros((8, 8, 3), np.uint8)
    made = dataclasses.replace(
        made, arrays={**made.arrays, "without": without}, axes={**made.axes, "without": ("height", "width", "channel")}
    )
    pictures = important_parts._set_pictures(made, KEY, "flips")
    laid = [c for c in pictures._traverse() if getattr(c, "className", "") == "square outlined"]
    assert laid[0].style == {"left": "25.000%", "top": "0.000%", "width": "25.000%", "height": "25.000%"}
    assert laid[1].style["top"] == "25.000%"
    sources = [c.src for c in pictures._traverse() if type(c).__name__ == "Img"]
    assert sources[0] == f"/maps/{KEY}/image"
    assert sources[1].startswith("data:image/png;base64,")
    assert "what the model saw then: “routine”" in words_of(pictures)


def test_every_part_is_coloured_by_its_worth_and_those_that_matter_marked() -> None:
    made = result()
    shown = important_parts.coloured(made, (-3.0, 3.0))
    assert words_of(shown) == made.facts["text"]
    words = [c for c in shown.children if "tok" in c.className]
    assert [("truth" in w.className) for w in words] == [bool(f) for f in made.arrays["found"]]
    assert getattr(words[-1], "data-tip") == "+3.00 (2.50 to 3.50), matters"
    squares = important_parts._worth(result(True), KEY, (-3.0, 3.0))
    cells = [c for c in squares.children if "square" in (getattr(c, "className", "") or "")]
    assert len(cells) == 16
    assert sum("outlined" in c.className for c in cells) == int(result(True).arrays["found"].sum())
    assert cells[-1].style["background"].endswith("0.750)")  # the strongest


def test_the_table_holds_every_part_those_that_matter_first() -> None:
    table = important_parts.table(result())
    rows = [words_of(row) for row in table.children[2].children]
    assert len(rows) == 8
    assert rows[0].startswith("pain")
    assert "✓ yes" in rows[0]
    assert "2.50 to 3.50" in rows[0]
    assert "< 0.001" in rows[0]
    assert "not found to" in rows[-1]


def test_no_sets_are_told_and_a_lost_trial_too(engine: FakeEngine) -> None:
    made = dataclasses.replace(samples.parts(), facts={**samples.parts().facts, "no_sets": "there is no other answer"})
    assert "there is no other answer" in words_of(important_parts.sets(made, KEY))
    engine.store.put_result(KEY, result())
    shown = connected(important_parts.PANEL, engine)["say"]
    said, *_, numbers = shown({"keys": {"parts": KEY}}, {"parts": {}}, TRIAGE, GIVEN)
    assert "speak" in words_of(said[0])
    assert "All numbers" in str(numbers)
    gone, *rest = shown({"keys": {"parts": "9" * 64}}, {"parts": {}}, TRIAGE, GIVEN)
    assert "no longer kept" in gone.children
    assert rest == [[], [], []]
    assert shown({"sentences": {"parts": "too long"}}, {"parts": {}}, TRIAGE, GIVEN)[0].children == "too long"
    assert "Type a text" in words_of(shown(None, {}, TRIAGE, None)[0])


def test_the_link_carries_what_differs() -> None:
    assert important_parts.link_of("0.1", "0.05") == {"q": "", "least": ""}
    assert important_parts.link_of("0.01", "0.2") == {"q": "0.01", "least": "0.2"}


def test_of_two_answers_one_is_ahead_and_the_model_may_give_a_third() -> None:
    pair = dataclasses.replace(result(), target="a rather than b", request={"target": ["a", "b"]})
    assert "and “routine” is ahead of “a” (" in words_of(important_parts.flip_sentence(pair))
    assert "of the two)." in words_of(important_parts.flip_sentence(pair))
    assert "with everything else hidden “a” stays ahead" in words_of(important_parts.suffice_sentence(pair))
    empty = dataclasses.replace(pair, facts={**pair.facts, "empty": {"probability": 0.62}})
    assert "Even with everything hidden “a” is ahead (62.0 % of the two)" in words_of(
        important_parts.suffice_sentence(empty)
    )


def test_parts_of_a_long_text_are_stretches() -> None:
    made = result()
    long = dataclasses.replace(made, labels={"part": tuple(f"two words {i}" for i in range(8))})
    assert important_parts.counted(long, 2) == "two stretches"
    assert important_parts.noun(long, 1) == "stretch"


@pytest.mark.parametrize("squares", [False, True])
def test_what_is_shown_takes_no_id_of_the_page(squares: bool) -> None:
    """Two elements of one id: the browser's part of Dash stops at the next answer."""
    page = [c for each in important_parts.parts({}) for c in each._traverse()]
    made = result(squares)
    later = [c for each in important_parts.shown(made, KEY) for c in each._traverse()]
    ids = [c.id for c in [*page, *later] if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))

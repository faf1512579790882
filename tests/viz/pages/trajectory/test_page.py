"""The trajectory page: its sentences, its requests, its pictures and its link, as plain functions."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from backends.results import Result
from tests.viz import samples
from viz.components import graph as picture
from viz.pages.trajectory import figures, lens_table, page, stack_picker, summary

LM = {
    "name": "bundled/names",
    "revision": "1",
    "task": "causal-lm",
    "offers": ["gradient", "next_token", "residual", "tokens", "unembedding"],
    "withdrawn": {},
}
ENCODER = {**LM, "name": "bundled/triage", "task": "text-classification", "offers": ["residual", "tokens"]}
CNN = {**LM, "name": "bundled/radiograph", "task": "image-classification", "offers": ["channels", "pixels"]}
T5 = {
    **LM, "name": "someone/t5", "offers": [*LM["offers"], "output"], "answers": "decoder",
    "parts": {"encoder": {"layers": 3}, "decoder": {"layers": 2}, "cross": {"layers": 2}},
}  # fmt: skip
CLIP = {
    **CNN, "name": "someone/clip", "offers": ["captions", "pixels", "residual"], "answers": "",
    "parts": {"image": {"layers": 3}, "text": {"layers": 2}},
}  # fmt: skip
GIVEN = {"digest": "a" * 64, "text": "When Mary"}


def lens(ranks: list[int], probability: list[float] | None = None, **facts: Any) -> Result:
    """A lens whose target has these ranks at the last of two positions."""
    layers = len(ranks)
    lp = ("layer", "position")
    rank = np.stack([np.full(layers, 7), ranks], 1).astype(np.int32)
    chance = np.array(probability or [1 / r for r in ranks], np.float32)
    top = np.tile(np.array([[[3, 4]]], np.int32), (layers, 2, 1))
    arrays = {
        "probability": np.tile(np.array([[[0.6, 0.3]]], np.float32), (layers, 2, 1)),
        "rank": np.tile(np.array([[[1, 2]]], np.int32), (layers, 2, 1)),
        "token": top,
        "entropy": np.ones((layers, 2), np.float32),
        "kl": np.ones((layers, 2), np.float32),
        "target_rank": rank,
        "target_probability": np.stack([np.zeros(layers, np.float32), chance], 1),
    }
    return Result(
        method="logit_lens",
        arrays=arrays,
        axes={name: (*lp, "k")[: a.ndim] for name, a in arrays.items()},
        labels={"layer": ("input", *map(str, range(1, layers))), "position": (" John", " to")},
        unit="probability",
        target=" Mary",
        facts={"strings": {"3": " Mary", "4": "<b>John</b>"}, "followed": {"target": 3}, **facts},
    )


@pytest.mark.parametrize(
    ("ranks", "words"),
    [
        ([9, 4, 1, 1], "The answer “·Mary” is first at layer 2 of 3 and stays there."),
        ([1, 1, 1, 1], "The answer “·Mary” is first from the embedding (layer 0 of 3) and stays there."),
        ([9, 4, 2, 1], "The answer “·Mary” is first only at the last layer, 3 of 3."),
        ([1, 4, 1, 1], "The answer “·Mary” is first at layer 2 of 3 and stays there; it was first at layer 0 too"),
        ([9, 1, 1, 2], "The answer “·Mary” is first up to layer 2 of 3, then loses: the last layer ranks it 2."),
        ([9, 3, 2, 5], "never first: it comes closest at layer 2 of 3 (rank 2), and the last layer ranks it 5."),
        ([9, 3, 3, 2], "never first: it comes closest at the last layer, with rank 2."),
    ],
)
def test_summary_says_when_the_answer_came_first(ranks: list[int], words: str) -> None:
    assert words in summary.lens_summary(lens(ranks), 1)[0]


def test_summary_names_the_step_that_lifts_the_answer_most() -> None:
    said = summary.lens_summary(lens([9, 4, 1, 1], [0.01, 0.05, 0.85, 0.9]), 1)
    assert said[1] == "Its probability rises most at layer 2, from 0.05 to 0.85."
    assert summary.lens_summary(lens([9, 9, 9], [0.01, 0.02, 0.05]), 1)[1] == "Its probability ends at 0.050."


def test_summary_of_a_pair_says_from_where_on_it_is_ahead() -> None:
    one = lens([9, 4, 1], [0.1, 0.2, 0.8], followed={"target": 3, "rather": 4})
    rather = np.stack([np.zeros(3), [0.3, 0.3, 0.1]], 1).astype(np.float32)
    arrays = {**one.arrays, "rather_probability": rather}
    pair = dataclasses.replace(one, arrays=arrays, axes={**one.axes, "rather_probability": ("layer", "position")})
    assert summary.lens_summary(pair, 1)[-1] == "It is ahead of “<b>John</b>” from layer 2 of 2 on."
    arrays["rather_probability"] = 1 - rather
    assert "“<b>John</b>” is ahead of “·Mary”" in summary.lens_summary(pair, 1)[-1]


def test_summary_follows_the_position_and_a_result_of_states() -> None:
    said = str(page.summary(lens([9, 4, 1, 1]), None, "0", LM))
    assert "After “·John” (position 0), the answer “·Mary” is never first" in said
    states = str(page.summary(None, samples.trajectory(), "auto", ENCODER))
    assert "least alike neighbours" in states
    assert "At “When” the state's length goes from" in states
    assert page.summary(None, None, "auto", None) == []
    assert page.summary(None, None, "auto", LM, GIVEN) == []
    assert "Type a text" in str(page.summary(None, None, "auto", LM, None))


def test_answer_place_is_the_last_the_mask_or_the_first() -> None:
    result = samples.trajectory()
    assert summary.answer_place(result, LM) == 5
    assert summary.answer_place(result, ENCODER) == 0
    masked = dataclasses.replace(result, labels={**result.labels, "position": ("a", "b", "[MASK]", "d", "e", "f")})
    assert summary.answer_place(masked, ENCODER) == 2


def test_what_is_not_offered_says_why() -> None:
    assert page.missing(LM) == {}
    assert set(page.missing(ENCODER)) == {"lens", "curves"}
    assert "earlier layers cannot be read as answers" in page.missing(ENCODER)["lens"]
    assert "Paths, similarity and norms" in page.missing(ENCODER)["lens"]
    assert set(page.missing(CNN)) == set(page.TABS)
    assert "no residual stream" in page.missing(CNN)["path"]
    assert page.AUTO == "auto"
    assert "/attribution?model=bundled%2Fradiograph" in str(page.summary(None, None, "auto", CNN))
    withdrawn = {**CNN, "withdrawn": {"residual": "its windows have streams of their own"}}
    assert page.missing(withdrawn)["path"] == "its windows have streams of their own"


def test_requests_of_the_lens_follow_target_pair_and_chosen_words() -> None:
    asked = page.lens_requests(LM, GIVEN, [" Mary", " John"], [7, "drink", " John"])
    assert list(asked) == ["words", "word  John", "token 7", "word drink"]
    assert asked["words"]["target"] == [" Mary", " John"]
    assert asked["token 7"]["target"] == 7
    assert page.lens_requests(ENCODER, GIVEN, None, []) == {}
    assert page.lens_requests(LM, None, None, []) == {}


def test_the_lens_is_of_the_stack_that_answers() -> None:
    given = {**GIVEN, "output": "Das"}
    assert "words" in page.lens_requests(T5, given, None, [], "decoder")
    assert page.lens_requests(T5, given, None, [], "encoder") == {}
    assert page.state_requests(T5, given, "lens", part="decoder") == {}
    asked = page.state_requests(T5, given, "lens", part="encoder")["states"]
    assert asked["options"]["part"] == "encoder"
    assert page.state_requests(T5, given, "path", part="nonsense")["states"]["options"]["part"] == "decoder"
    assert page.state_requests(ENCODER, GIVEN, "path", part="decoder")["states"]["options"]["part"] == ""
    assert "read from the decoder: choose it above" in page.missing(T5, "encoder")["lens"]
    assert page.missing(T5, "decoder") == {}


def test_which_stacks_there_are_and_which_is_first() -> None:
    assert stack_picker.stacks(T5) == ["encoder", "decoder"]
    assert (stack_picker.usual(T5), stack_picker.usual(CLIP), stack_picker.usual(LM)) == ("decoder", "image", "")
    assert stack_picker.options(CLIP)[1] == {"label": "text (2 layers)", "value": "text"}
    lost = {**CLIP, "parts": {"image": {"layers": 3, "withdrawn": {"residual": "no"}}, "text": {"layers": 2}}}
    assert stack_picker.stacks(lost) == ["text"]
    assert stack_picker.unknown(T5, "encoder") == stack_picker.unknown(T5, "") == ""
    assert "asks for the part 'x' of someone/t5; it has encoder, decoder: decoder is shown" in stack_picker.unknown(
        T5, "x"
    )
    assert "which is one stack" in stack_picker.unknown(LM, "decoder")


def test_only_the_decoder_sees_just_what_came_before() -> None:
    decoder, encoder = (samples.trajectory(), samples.trajectory())
    decoder = dataclasses.replace(decoder, facts={**decoder.facts, "part": "decoder"})
    encoder = dataclasses.replace(encoder, facts={**encoder.facts, "part": "encoder"})
    assert summary.causal(decoder, T5)
    assert not summary.causal(encoder, T5)
    assert (summary.answer_place(decoder, T5), summary.answer_place(encoder, T5)) == (5, 0)
    assert page.position_options(encoder, T5)[0]["label"].startswith("the first one: 0")
    assert summary.causal(samples.trajectory(), LM)
    assert not summary.causal(samples.trajectory(), ENCODER)


def test_what_a_link_asks_for_and_is_not_there_is_told() -> None:
    assert page.unknown({}) == []
    told = page.unknown({"tab": "maze", "colour": "red", "similarity": "x", "paths": "y", "tokens": "{"})
    assert len(told) == 5
    assert told[0] == "The link asks for tab 'maze', which there is not: “Words by layer” is shown instead."
    assert "maze" in str(page.layout(tab="maze"))
    said = page.no_position("99", lens([1, 1]), LM)
    assert said == "There is no position '99' here, positions go from 0 to 1: where it answers is shown."
    assert page.no_position("1", lens([1, 1]), LM) == page.no_position("auto", lens([1, 1]), LM) == ""


def test_states_are_asked_for_when_they_are_looked_at() -> None:
    assert page.state_requests(LM, GIVEN, "lens") == {}
    asked = page.state_requests(LM, GIVEN, "path", unit=True)["states"]
    assert asked["options"]["unit_length"] is True
    assert asked["target"] is None
    assert "states" in page.state_requests(ENCODER, GIVEN, "lens")
    assert page.state_requests(CNN, {"digest": "a" * 64}, "path") == {}


def test_link_restores_the_view_and_leaves_out_what_is_usual() -> None:
    assert page.view_params(page.USUAL, []) == {}
    view = {**page.USUAL, "tab": "curves", "position": "3"}
    assert page.view_params(view, [7, "drink"]) == {"tab": "curves", "position": "3", "tokens": [7, "drink"]}
    link = {"tokens": json.dumps([7, "drink"]), "tab": "curves", "position": "3", "colour": "kl"}
    drawn = page.layout(**link)
    found = {c.id: c for c in drawn._traverse() if getattr(c, "id", None)}
    assert found["trajectory-tokens"].data == [7, "drink"]
    assert found["trajectory-tab"].data == "curves"
    assert found["trajectory-position"].value == "3"
    assert found["trajectory-colour"].value == "kl"


@pytest.mark.parametrize("nonsense", ["{", "7", '{"a": 1}', '[null, true, -1, "", [1]]', "x" * 5000])
def test_nonsense_in_the_link_is_left_out(nonsense: str) -> None:
    assert page.followed_of({"tokens": nonsense}) == []
    found = {
        c.id: c for c in page.layout(tab=nonsense, position=nonsense, colour=nonsense)._traverse() if hasattr(c, "id")
    }
    assert found["trajectory-tab"].data == "lens"
    assert page.place(found["trajectory-position"].value, lens([1, 1]), LM) == 1
    assert found["trajectory-colour"].value == "probability"


def test_ids_are_unique_and_begin_with_the_page() -> None:
    ids = [str(c.id) for c in page.layout()._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    assert all(i.startswith("trajectory-") for i in ids)


def test_at_most_five_words_are_followed() -> None:
    assert figures.with_token([1], 1) == [1]
    with pytest.raises(Refused, match="at most 5 words are followed besides the answer"):
        figures.with_token([1, 2, 3, 4, 5], 6)
    with pytest.raises(Refused, match="type a word of the vocabulary"):
        figures.with_token([], "")


def test_positions_are_named_and_out_of_range_falls_back() -> None:
    options = page.position_options(lens([1, 1]), LM)
    assert options[0] == {"label": "where it answers: 1 “·to”", "value": "auto"}
    assert [o["value"] for o in options] == ["auto", "0", "1"]
    assert page.place("9", lens([1, 1]), LM) == 1
    assert page.place("0", lens([1, 1]), LM) == 0


def test_table_has_the_last_layer_on_top_and_words_as_text() -> None:
    shown = lens_table.table(lens([2, 1, 1]), "probability", 1)
    assert [row["layer"] for row in shown["rows"]] == ["2", "1", "input"]
    assert shown["columns"][1] == {"token": "·to", "position": 1}
    cell = shown["rows"][0]["cells"][0]
    assert cell["word"] == "·Mary"
    assert cell["best"] == [["·Mary", 0.6], ["<b>John</b>", 0.3]]
    assert (shown["low"], shown["high"]) == (0.0, 1.0)
    assert lens_table.table(lens([2, 1]), "kl", 1)["unit"] == "nat"


@pytest.mark.parametrize(("at", "first"), [(99, 76), (80, 76), (50, 38), (0, 0), (5, 0)])
def test_table_shows_a_window_with_the_position_in_it(at: int, first: int) -> None:
    shown = lens_table.window(100, at)
    assert (shown.start, len(shown)) == (first, 24)
    assert at in shown
    assert lens_table.window(10, 3) == range(10)


def test_curves_of_several_tokens_differ_in_colour_dash_and_mark() -> None:
    other = lens([5, 2, 2], followed={"target": 4})
    figure = figures.curves(lens([2, 1, 1]), [other, other], "rank", 1)
    assert [t.name for t in figure.data] == ["·Mary", "&lt;b&gt;John&lt;/b&gt;"]
    np.testing.assert_array_equal(figure.data[1].y, [5, 2, 2])
    one, two = figure.data
    assert one.line.color != two.line.color
    assert one.line.dash != two.line.dash
    assert one.marker.symbol != two.marker.symbol
    assert figure.layout.title.subtitle.text == "after “·to” (position 1)"
    assert len(figures.curves(lens([2, 1, 1]), [other], "entropy", 1).data) == 1


def test_similarity_is_cka_or_cosine_and_says_which() -> None:
    result = samples.trajectory()
    cosine = np.eye(5, dtype=np.float32)
    both = dataclasses.replace(
        result, arrays={**result.arrays, "cosine": cosine}, axes={**result.axes, "cosine": ("layer", "layer")}
    )
    np.testing.assert_array_equal(figures.as_similarity(both, "cosine").arrays["similarity"], cosine)
    assert "cosine" in figures.states(both, "similarity", 0, "cosine", False, True).layout.title.text
    assert "linear CKA" in figures.states(both, "similarity", 0, "cka", False, True).layout.title.text


def test_views_of_the_states_show_one_position_or_all_and_say_what_is_missing() -> None:
    result = samples.trajectory()
    assert len(figures.states(result, "path", 3, "cka", True, True).data) == 1
    assert len(figures.states(result, "path", 3, "cka", False, False).data) == 6
    assert "too few tokens" in figures.states(result, "dimension", 0, "cka", False, True)
    arrays = {**result.arrays, "dimension": np.array([2, 3, 4, 3, 2], np.float32)}
    full = dataclasses.replace(result, arrays=arrays, axes={**result.axes, "dimension": ("layer",)})
    figure = figures.states(full, "dimension", 0, "cka", False, True)
    np.testing.assert_array_equal(figure.data[0].y, [2, 3, 4, 3, 2])
    assert figure.layout.yaxis.title.text == "intrinsic dimension (directions)"


def test_every_picture_has_its_numbers_as_a_table_and_keeps_to_itself() -> None:
    shown = page.curve_pictures(lens([2, 1, 1]), [], 1, False)
    assert len(shown) == 4
    graph = shown[0].children[0]
    assert graph.config["showSendToCloud"] is False
    table = picture.table(graph.figure)
    cells = [c.children for c in table._traverse() if type(c).__name__ in ("Th", "Td")]
    assert cells[:4] == ["layer", "·Mary", "0", "0.5"]

"""How the answer formed, in sentences."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.viz import samples
from tests.viz.pages.trajectory.cases import ENCODER, LM, T5, lens
from viz.pages.trajectory import position_picker, summary


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


def test_answer_place_is_the_last_the_mask_or_the_first() -> None:
    result = samples.trajectory()
    assert summary.answer_place(result, LM) == 5
    assert summary.answer_place(result, ENCODER) == 0
    masked = dataclasses.replace(result, labels={**result.labels, "position": ("a", "b", "[MASK]", "d", "e", "f")})
    assert summary.answer_place(masked, ENCODER) == 2


def test_only_the_decoder_sees_just_what_came_before() -> None:
    decoder, encoder = (samples.trajectory(), samples.trajectory())
    decoder = dataclasses.replace(decoder, facts={**decoder.facts, "part": "decoder"})
    encoder = dataclasses.replace(encoder, facts={**encoder.facts, "part": "encoder"})
    assert summary.causal(decoder, T5)
    assert not summary.causal(encoder, T5)
    assert (summary.answer_place(decoder, T5), summary.answer_place(encoder, T5)) == (5, 0)
    assert position_picker.position_options(encoder, T5)[0]["label"].startswith("the first one: 0")
    assert summary.causal(samples.trajectory(), LM)
    assert not summary.causal(samples.trajectory(), ENCODER)

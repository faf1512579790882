"""Sentences of two names and sequences that repeat."""

from __future__ import annotations

import numpy as np

from backends.bundled.data import names


def test_the_sentences_repeat_themselves_and_heed_the_seed():
    assert names.sentences(3, 20) == names.sentences(3, 20) != names.sentences(4, 20)


def test_training_and_measuring_share_no_pair_or_period():
    assert not set(names.TRAINED_PERIODS) & set(names.HELD_BACK_PERIODS)
    pairs = [{frozenset((s.answer, s.wrong)) for s in names.sentences(0, 400, split)} for split in ("train", "test")]
    assert not pairs[0] & pairs[1]


def test_the_roles_of_a_name_sentence_are_where_they_say():
    for made in names.sentences(7, 200):
        text = {role: made.clean[a:b] for role, (a, b) in made.roles.items()}
        assert text == {"io": made.answer, "s1": made.wrong, "s2": made.wrong, "end": "to"}
        assert made.roles["s1"] < made.roles["s2"]
        start = made.roles["s2"][0]
        assert made.corrupted[:start] == made.clean[:start]
        assert made.corrupted[start:].startswith(made.answer)


def test_a_repeated_sequence_repeats_where_its_source_says():
    ids, source, period = names.repeated(1, 50, 64, 200, (5, 9))
    row, position = np.nonzero(source >= 0)
    assert (ids[row, position] == ids[row, source[row, position] - 1]).all()
    assert (position - source[row, position] + 1 == period[row]).all()
    assert ids.min() > 0
    assert ids.max() < 200

"""Notes, their labels, and the words that decide them."""

from __future__ import annotations

import re

from backends.bundled.data import triage


def test_the_notes_repeat_themselves_and_heed_the_seed():
    assert triage.notes(3, 20) == triage.notes(3, 20) != triage.notes(4, 20)


def test_training_and_measuring_share_no_frame():
    assert not set(triage.frames("train")) & set(triage.frames("test"))
    assert not set(triage.BARE) & set(triage.frames("test"))
    assert not {note.text for note in triage.notes(1, 300)} & {note.text for note in triage.notes(2, 300, "test")}


def test_a_rationale_is_the_deciding_symptom_and_what_denies_a_worse_one():
    note = triage.write([("she [-denies] {-} but [+has] {+}", ["fever", "a seizure"], ["", "new"], "at night")])
    assert note.text == "She denies fever but has a new seizure at night."
    assert note.label == "urgent"
    assert [note.text[a:b] for a, b in note.rationale] == ["seizure"]
    turned = triage.write(
        [("she [-denies] {-} [-or] {-} but [+has] {+}", ["a seizure", "fever", "cough"], [""] * 3, "")]
    )
    assert turned.label == "soon"
    assert [turned.text[a:b] for a, b in turned.rationale] == ["denies", "cough"]


def test_denying_the_deciding_symptom_changes_the_label():
    affirmed = triage.write([("she [+has] {+}", ["chest pain"], [""], "")])
    denied = triage.write([("she [-denies] {-}", ["chest pain"], [""], "")])
    assert (affirmed.label, denied.label) == ("urgent", "routine")
    assert [denied.text[a:b] for a, b in denied.rationale] == ["denies"]


def test_hiding_a_deciding_word_changes_the_label_where_only_one_decides_and_no_other_word_does():
    for note in triage.notes(8, 120, "test"):
        words = [match.span() for match in re.finditer(r"\w+", note.text)]
        changed = [word for word in words if note.without([word]).label != note.label]
        assert all(any(a <= word[0] < b for a, b in note.rationale) for word in changed)
        if len(note.rationale) == 1:
            assert changed == [w for w in words if note.rationale[0][0] <= w[0] < note.rationale[0][1]]
        assert note.without([(0, len(note.text))]).label == "routine"

"""Captions and their layout; some pairs are never drawn."""

from __future__ import annotations

from backends.bundled.data import scenes


def test_some_pairs_are_never_drawn_for_training():
    drawn = {(t.colour, t.shape) for made in scenes.captions(1, 2000) for t in made.things}
    assert drawn == set(scenes.SEEN)
    assert not drawn & set(scenes.UNSEEN)
    assert {colour for colour, _ in drawn} == set(scenes.COLOURS)
    assert scenes.captions(4, 20) == scenes.captions(4, 20) != scenes.captions(5, 20)
    assert all(len({t.colour for t in made.things}) == len(made.things) for made in scenes.captions(1, 500))


def test_the_layout_says_where_the_relation_puts_each_thing():
    made = scenes.caption([("red", "circle"), ("blue", "square")], "right of")
    assert made.text == "a red circle right of a blue square"
    assert {where: thing.colour for where, thing in scenes.layout(made).items()} == {"right": "red", "left": "blue"}
    assert scenes.layout(scenes.caption([("red", "circle"), ("blue", "square")])) == {}

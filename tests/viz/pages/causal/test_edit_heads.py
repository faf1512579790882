"""Edges and heads that a person switches, and what was tried in words."""

from __future__ import annotations

import dataclasses

import pytest

from backends.errors import Refused
from tests.viz import causal_samples
from tests.viz.fakes import FakeEngine
from tests.viz.pages.causal.cases import LM
from viz.pages.causal import edit_heads
from viz.pages.causal import results as views


def test_what_was_tried_is_told_before_and_after(engine: FakeEngine) -> None:
    compared = [{"label": "Mary", "before": 0.9, "after": 0.2}, {"label": "John", "before": 0.1, "after": 0.7}]
    facts = {"compared": compared, "together": -3.5, "continued": [" Mary.", " John."]}
    result = dataclasses.replace(causal_samples.changes(), facts=facts, target="Mary")
    said = str(edit_heads.told(result, True))
    assert "The answer is now “John” instead of “Mary”." in said
    assert "moves by −3.500" in said
    assert "·John." in said
    assert "·John." not in str(edit_heads.told(result, False))
    empty = views.tried(engine, {}, {"heads": {}}, LM)
    assert "Nothing is changed" in str(empty[2])


def test_edges_are_checked_as_they_are_typed() -> None:
    assert edit_heads.with_edge(["1.0.5.3"], " *.*.5.0 ") == ["1.0.5.3", "*.*.5.0"]
    with pytest.raises(Refused, match=r"an edge is four numbers, layer.head.query.key"):
        edit_heads.with_edge([], "1.0")
    with pytest.raises(Refused, match="at most 64 edges"):
        edit_heads.with_edge([f"0.0.0.{i}" for i in range(64)], "1.0.5.3")


def test_edges_are_chosen_by_tokens_and_told_in_words() -> None:
    prediction = {"tokens": ["When", " Mary"], "patches": None}
    layers, heads, looks, seen = edit_heads.ends(LM, prediction)
    assert [len(options) for options in (layers, heads, looks, seen)] == [4, 5, 3, 3]
    assert looks[2] == {"label": "1 ·Mary", "value": "1"}
    assert edit_heads.start(seen) == "*"
    words = edit_heads.edge_words("1.0.1.0", edit_heads.tokens(prediction))
    assert words == "head 1.0: “·Mary” (1) looking at “When” (0)"
    assert edit_heads.edge_words("*.*.1.*", []) == "everywhere: 1 looking at all tokens"
    assert edit_heads.edge_words("*.2.1.*", []).startswith("head 2 of all layers")
    assert edit_heads.edge_words("2.*.1.*", []).startswith("all heads of layer 2")
    film = {"tokens": [], "patches": {"grid": [2, 2], "first": 1}}
    assert edit_heads.tokens(film) == ["[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2"]
    assert "r1 c2" in str(edit_heads.chip("0.0.2.0", edit_heads.tokens(film)))
    with pytest.raises(Refused, match="all of both is the whole head"):
        edit_heads.with_edge([], "0.0.*.*")


def test_a_link_names_heads_and_edges_once_and_nothing_else() -> None:
    assert edit_heads.heads_of({"off": "0.0,1.1,x,0.0,<b>"}, "off") == ["0.0", "1.1"]
    assert edit_heads.edges_of({"edges": "1.0.5.3,*.*.5.0,1.2"}) == ["1.0.5.3", "*.*.5.0"]

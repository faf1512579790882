from __future__ import annotations

from tests.viz.reading import links_of, text_of
from viz.pages.gallery import opener


def test_an_opened_model_shows_what_it_gives_and_what_was_withdrawn() -> None:
    card = {
        "name": "a/b", "task": "fill-mask", "parameters": 2_000_000, "layers": 3, "offers": ["attention", "residual"],
        "warnings": ["the folder lacks 2 weights"], "withdrawn": {"components": "the parts of a block do not add up"},
    }  # fmt: skip
    shown = opener.opened_model(card)
    assert "2 M parameters, 3 layers" in text_of(shown)
    assert "the folder lacks 2 weights" in text_of(shown)
    assert "the parts of a block do not add up" in text_of(shown)
    assert links_of(shown) == [f"/{page}?model=a%2Fb" for page in ("attention", "trajectory", "model")]

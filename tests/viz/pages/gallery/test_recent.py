from __future__ import annotations

from tests.viz.reading import links_of, text_of
from viz.pages.gallery import recent


def test_recent_results_link_back_to_their_view() -> None:
    entry = {"key": "0" * 64, "method": "saliency", "model": "bundled/triage", "input": "f" * 64}
    entry |= {"target": "<b>urgent</b>", "when": 0.0}
    shown = recent.recent_results([entry])
    assert links_of(shown)[0].startswith("/attribution?model=bundled%2Ftriage&input=ffff")
    assert "Saliency" in text_of(shown)
    assert "<b>urgent</b>" in text_of(shown)  # as text: Dash escapes children
    assert "Nothing was computed yet" in text_of(recent.recent_results([]))


def test_a_method_that_is_gone_still_has_a_link() -> None:
    entry = {"key": "0" * 64, "method": "gone", "model": "m", "target": "", "input": "f" * 64, "when": "2026-01-01"}
    assert links_of(recent.recent_results([entry]))[0].startswith("/attribution?")


def test_the_parts_of_an_input_open_where_they_were_found() -> None:
    entry = {"key": "k", "method": "parts", "model": "bundled/triage", "target": "urgent", "input": "i", "when": 0}
    made = recent.recent_results([entry])
    assert links_of(made) == ["/evidence?model=bundled%2Ftriage&input=i&tab=parts"]
    assert "Which parts matter of “urgent”" in text_of(made)


def test_a_method_without_a_tab_is_opened_among_the_others(monkeypatch) -> None:
    from backends import registry

    monkeypatch.setattr(registry.method("saliency"), "view", "figure")
    entry = {"key": "k", "method": "saliency", "model": "m", "target": "", "input": "i", "when": 0}
    assert "other=saliency" in links_of(recent.recent_results([entry]))[0]

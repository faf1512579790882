from __future__ import annotations

from viz.pages import gallery


def text_of(component) -> str:
    """All text below a component."""
    if isinstance(component, str):
        return component
    if isinstance(component, (list, tuple)):
        return " ".join(text_of(c) for c in component)
    return text_of(getattr(component, "children", None) or "")


def links_of(component) -> list[str]:
    return [c.href for c in component._traverse() if hasattr(c, "href")]


def test_every_bundled_model_has_a_card_with_its_doors() -> None:
    from backends import catalog

    page = gallery.layout()
    links = links_of(page)
    for card in catalog.bundled():
        assert card["title"] in text_of(page)
        name = card["name"].replace("/", "%2F")
        draws = card["task"] == "text-to-image"
        assert (f"/attribution?model={name}" in links) != draws
        assert (f"/diffusion?model={name}" in links) == draws
        assert (f"/attention?model={name}" in links) == card["transformer"]
        assert (f"/causal?model={name}" in links) == card["transformer"]


def test_an_opened_model_shows_what_it_gives_and_what_was_withdrawn() -> None:
    card = {
        "name": "a/b", "task": "fill-mask", "parameters": 2_000_000, "layers": 3, "offers": ["attention", "residual"],
        "warnings": ["the folder lacks 2 weights"], "withdrawn": {"components": "the parts of a block do not add up"},
    }  # fmt: skip
    shown = gallery.opened_model(card)
    assert "2 M parameters, 3 layers" in text_of(shown)
    assert "the folder lacks 2 weights" in text_of(shown)
    assert "the parts of a block do not add up" in text_of(shown)
    assert links_of(shown) == [f"/{page}?model=a%2Fb" for page in ("attention", "trajectory", "model")]


def test_recent_results_link_back_to_their_view() -> None:
    entry = {"key": "0" * 64, "method": "saliency", "model": "bundled/triage", "input": "f" * 64}
    entry |= {"target": "<b>urgent</b>", "when": 0.0}
    shown = gallery.recent_results([entry])
    assert links_of(shown)[0].startswith("/attribution?model=bundled%2Ftriage&input=ffff")
    assert "Saliency" in text_of(shown)
    assert "<b>urgent</b>" in text_of(shown)  # as text: Dash escapes children
    assert "Nothing was computed yet" in text_of(gallery.recent_results([]))


def test_a_method_that_is_gone_still_has_a_link() -> None:
    entry = {"key": "0" * 64, "method": "gone", "model": "m", "target": "", "input": "f" * 64, "when": "2026-01-01"}
    assert links_of(gallery.recent_results([entry]))[0].startswith("/attribution?")


def test_the_parts_of_an_input_open_where_they_were_found() -> None:
    entry = {"key": "k", "method": "parts", "model": "bundled/triage", "target": "urgent", "input": "i", "when": 0}
    made = gallery.recent_results([entry])
    assert links_of(made) == ["/evidence?model=bundled%2Ftriage&input=i&tab=parts"]
    assert "Which parts matter of “urgent”" in text_of(made)


def test_a_method_without_a_tab_is_opened_among_the_others(monkeypatch) -> None:
    from backends import registry

    monkeypatch.setattr(registry.method("saliency"), "view", "figure")
    entry = {"key": "k", "method": "saliency", "model": "m", "target": "", "input": "i", "when": 0}
    assert "other=saliency" in links_of(gallery.recent_results([entry]))[0]

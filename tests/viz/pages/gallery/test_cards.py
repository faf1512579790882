from __future__ import annotations

from pathlib import Path

from tests.viz.reading import links_of, text_of
from viz.pages import gallery


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


def test_every_card_has_a_picture_of_its_own_made_of_the_model_as_it_is() -> None:
    from backends import catalog
    from viz.pages.gallery import cards

    root = Path(__file__).parents[4] / "assets"
    seen = set()
    for card in catalog.bundled():
        cover = cards.covers()[card["name"]]
        assert cover["revision"] == catalog.resolve(card["name"]).revision, f"{card['name']}: run `make covers`"
        assert cover["says"]
        if "picture" in cover:
            assert (root / cover["picture"]).is_file()
            seen.add(cover["picture"])
        else:
            text = card["examples"][card.get("cover", 0)]["input"]
            assert "".join(piece for piece, _ in cover["pieces"]).strip() == text
    assert len(seen) == 5
    assert sum(file.stat().st_size for file in (root / "covers").iterdir()) <= 60_000


def test_a_card_links_to_the_model_page_too() -> None:
    assert "/model?model=bundled%2Fradiograph" in links_of(gallery.layout())

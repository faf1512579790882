from __future__ import annotations

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

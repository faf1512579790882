from __future__ import annotations

from pathlib import Path
from typing import Any

import backends
from backends import catalog
from backends.evidence import edited_input
from backends.inputs import edits
from backends.methods.base import no_step
from tests.viz.fakes import bundle
from viz.pages.gallery import film


def test_the_boxes_hold_their_masks(tmp_path: Path) -> None:
    from PIL import Image

    mask = Image.new("1", (100, 50))
    mask.paste(1, (0, 10, 30, 50))
    mask.save(tmp_path / "mask.png")
    assert film.box_around(tmp_path / "mask.png") == (180, 0, 1000, 320)


def test_the_network_does_what_the_page_lets_a_visitor_see() -> None:
    shown = film.exhibit()
    assert shown is not None
    model = backends.open_model(shown.model)
    example = shown.card["examples"][shown.example]
    raw = {"image": str(catalog.shipped(shown.model) / example["input"])}
    found = {
        c.name: edited_input.answer(model, raw, edits.read([list(c.edit)]), shown.replacement, no_step)
        for c in shown.changes
    }
    assert shown.tell(found, ["tag"]).endswith("it had read the tag.")
    assert shown.tell(found, ["lesion"]).endswith("it does not need the nodule.")


def test_what_is_hidden_is_covered_and_the_rest_is_named() -> None:
    shown = film.exhibit()
    assert shown is not None
    cover, outline = film.draw(shown, ["tag"])
    assert "hidden-part" in cover.className
    assert cover.children is None
    assert outline.children.children == "nodule"
    assert outline.style["top"].endswith("%")


def test_a_vitrine_without_the_film_has_none(tmp_path: Path, monkeypatch: Any) -> None:
    bundle(tmp_path, monkeypatch)
    assert film.exhibit() is None

"""The pictures of the gallery's cards: what the script makes of a map and of a text."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from backends.results import Result

ROOT = Path(__file__).parents[2]


@pytest.fixture
def covers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, which writes into an empty folder."""
    spec = importlib.util.spec_from_file_location("vitrine_covers", ROOT / "docs" / "covers.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setattr(made, "PICTURES", tmp_path)
    return made


def test_a_map_is_laid_over_its_film(covers: ModuleType, tmp_path: Path) -> None:
    Image.new("L", (64, 64), 90).save(tmp_path / "film.png")
    values = np.zeros((64, 64), np.float32)
    values[40:56, 8:24] = 3.0
    result = Result(
        method="occlusion", arrays={"attribution": values}, axes={"attribution": ("height", "width")}, labels={},
        unit="logit", signed=True, target="lesion", facts={}, request={},
    )  # fmt: skip
    made = covers.lay_over(result, str(tmp_path / "film.png"), {"name": "bundled/one"})
    assert made == {"picture": "covers/one.webp"}
    pixels = np.asarray(Image.open(tmp_path / "one.webp").convert("RGB"), int)
    assert pixels.shape == (covers.TILE, 2 * covers.TILE + covers.GAP, 3)
    red = pixels[..., 0] - pixels[..., 2]
    assert red[132, covers.TILE + covers.GAP + 44] > 50  # on the map
    assert abs(red[132, 44]) < 12  # and nothing on the film
    assert abs(red[30, covers.TILE + covers.GAP + 140]) < 12


def test_a_text_keeps_its_words_and_loses_what_no_person_wrote(covers: ModuleType) -> None:
    result = Result(
        method="saliency", arrays={"attribution": np.array([0.0, 2.0, -1.0, 0.0], np.float32)},
        axes={"attribution": ("token",)}, labels={"token": ("[CLS]", "chest", "pain", "[SEP]")}, unit="logit",
        signed=True, target="urgent", facts={"text": "chest pain"}, request={},
    )  # fmt: skip
    made = covers.colour(result, {"task": "text-classification"}, "urgent")
    assert "".join(text for text, _ in made["pieces"]).replace(" ", "") == "chestpain"
    assert made["answer"] == "→ urgent"

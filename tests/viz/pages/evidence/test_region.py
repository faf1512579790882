"""The region that maps are compared with: known, drawn or named, in a request and in a link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.viz.fakes import FILM, TRIAGE
from viz.pages.evidence import region

TEXT = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
OWN = {"digest": "d" * 64, "text": "a note of mine"}
PICTURE = {"digest": "e" * 64, "image": True, "example": 0}
BOX = [30, 30, 40, 40]


def test_what_is_known_comes_first(shipped: Path) -> None:
    assert list(region.choices(FILM, PICTURE)) == ["lesion", "own", "none"]
    assert list(region.choices(TRIAGE, TEXT)) == ["spans", "own", "none"]
    assert list(region.choices(TRIAGE, OWN)) == ["none", "own"]
    assert region.choices(TRIAGE, OWN)["own"] == "words that I name"
    assert region.choices(FILM, PICTURE)["own"] == "a region that I draw"


@pytest.mark.parametrize(
    ("card", "given", "choice", "box", "words", "found"),
    [
        (FILM, PICTURE, "lesion", BOX, "", {"model": "bundled/radiograph", "example": 0, "mask": "lesion"}),
        (TRIAGE, TEXT, "spans", BOX, "", {"model": "bundled/triage", "example": 0}),
        (FILM, PICTURE, "own", [60, 25, 30, 90], "", {"box": [0.6, 0.25, 0.9, 1.0]}),
        (FILM, PICTURE, "own", [None, "x", 20, 20], "", {"box": [0.0, 0.0, 0.2, 0.2]}),
        (FILM, PICTURE, "own", [10, 10, 0, 20], "", None),
        (TRIAGE, TEXT, "own", BOX, " chest pain, ,fever", {"words": ["chest pain", "fever"]}),
        (TRIAGE, TEXT, "own", BOX, " ", None),
        (TRIAGE, OWN, "spans", BOX, "", None),
        (FILM, PICTURE, "none", BOX, "", None),
    ],
)
def test_the_region_as_the_job_takes_it(
    shipped: Path, card: Any, given: Any, choice: str, box: list[Any], words: str, found: Any
) -> None:
    assert region.region_of(card, given, choice, box, words) == found


def test_the_link_carries_a_drawn_box_or_named_words(shipped: Path) -> None:
    assert region.link_of(FILM, PICTURE, "lesion", BOX, "") == {"region": ""}
    assert region.link_of(FILM, PICTURE, "own", [60, 25, None, 30], "") == {"region": "own", "box": "60,25,0,30"}
    assert region.link_of(TRIAGE, TEXT, "own", BOX, "pain") == {"region": "own", "words": "pain"}


@pytest.mark.parametrize(
    ("box", "shown"), [("60,25,30,30", [60, 25, 30, 30]), ("1,2,3", [30, 30, 40, 40]), ("1,2,3,x", [30, 30, 40, 40]),
                       ("1,2,3,400", [30, 30, 40, 40])]
)  # fmt: skip
def test_a_link_sets_the_rectangle_and_nonsense_does_not(box: str, shown: list[int]) -> None:
    made = {c.id: c for part in region.parts({"box": box}) for c in part._traverse() if getattr(c, "id", None)}
    assert [made[f"evidence-box-{edge}"].value for edge in region.EDGES] == shown


def test_what_is_missing_is_said() -> None:
    assert region.said(None, "own") == "Nothing is drawn or named yet."
    assert region.said(None, "none") == ""
    assert "moved copies" in region.said({"box": [0, 0, 1, 1]}, "own")

"""Three maps and their receipts: trained, of shuffled weights, and drawn at random."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.viz.attributions import film_result, text_result
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from tests.viz.pages.evidence.audited import receipt, words_of
from viz.pages.evidence import randomised_network

GIVEN = {"digest": "d" * 64, "text": "no fever but severe chest pain"}
OPTIONS = {"replacement": "mask", "effort": 1, "seed": 0}
LINE = {"name": "weights", "value": 0.02, "control": [0, 0.5], "verdict": "holds", "sentence": "…", "about": {}}


def document(trained: str = "holds", shuffled: str = "fails", random: str = "fails", **changes: Any) -> dict[str, Any]:
    verdicts = {"trained": trained, "shuffled": shuffled, "random": random}
    maps = {name: f"{i}a" * 32 for i, name in enumerate(verdicts)}
    receipts = {name: receipt(verdict) for name, verdict in verdicts.items()}
    about = {"decides": "hiding", "line": LINE, "chance": 0.05, "problem": ""}
    return {"maps": maps, "receipts": receipts, **about, **changes}


def test_the_three_maps_are_asked_for_together() -> None:
    made = randomised_network.requests(TRIAGE, GIVEN, "urgent", OPTIONS, "saliency")["blind"]
    assert (made["job"], made["method"], made["target"], made["receipt"]) == ("blind", "saliency", "urgent", OPTIONS)
    assert randomised_network.requests(TRIAGE, GIVEN, None, OPTIONS, "guided_grad_cam") == {}
    assert randomised_network.requests(TRIAGE, None, None, OPTIONS, "saliency") == {}


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("holds", "fails", "fails"), "The test tells them apart"),
        (("fails", "fails", "fails"), "Even the trained network's map fails; the map of the network that knows"),
        (
            ("holds", "holds", "fails"),
            "The trained network's map holds; the map of the network that knows nothing holds, too; the map drawn at "
            "random fails, as it should.",
        ),
        (("cannot tell", "fails", "cannot tell"), "Of the trained network's map nothing can be told; the map of"),
    ],
)
def test_whether_the_test_tells_them_apart_is_said_first(verdicts: tuple[str, str, str], words: str) -> None:
    said = words_of(randomised_network.said(document(*verdicts)))
    assert said.startswith(words)
    assert "shuffled weights: 0.02 (rank correlation, 1 is the same, or its opposite; the maps of two" in said
    assert "different inputs: 0.05)" in said


def test_without_a_map_of_shuffled_weights_it_is_said() -> None:
    made = document(line=None, problem="With shuffled weights there is no map at all: it is flat")
    assert "there is no map at all: it is flat" in words_of(randomised_network.said(made))
    assert "two different inputs" not in words_of(randomised_network.said(document(chance=None)))


def test_a_picture_with_its_receipt() -> None:
    request = randomised_network.requests(FILM, {"digest": "d" * 64, "image": True}, None, OPTIONS, "occlusion")[
        "blind"
    ]
    spec, row = randomised_network.shown("shuffled", film_result(), document(), request, (-2.0, 2.0))
    assert spec["map"] == f"/maps/{'1a' * 32}/attribution"
    assert spec["scale"] == [-2.0, 2.0]
    assert row[0] == "panel result"
    assert row[3].className == "receipt receipt-fails"
    said = words_of(row[3])
    assert "✗ Fails" in said
    assert "Hiding the brightest 8% drops" in said
    assert "96 random trials" in said
    assert f"/results/{'1a' * 32}/csv" in str(row[4])


def test_a_text_with_its_receipt() -> None:
    request = randomised_network.requests(TRIAGE, GIVEN, None, OPTIONS, "saliency")["blind"]
    made = dataclasses.replace(text_result(), method="random_map")
    spec, row = randomised_network.shown("random", made, document(), request, None)
    assert spec is None
    assert row[2] == "d-none"
    assert "severe" in words_of(row[1])
    gone = randomised_network.shown("random", None, document(), request, None)
    assert gone == (None, ["d-none", [], "d-none", [], []])


def test_maps_that_are_gone_are_a_sentence(engine: FakeEngine) -> None:
    made = document()
    for key in made["maps"].values():
        engine.store.put_result(key, film_result())
    engine.store.put_document("ab" * 32, made)
    found, maps, why = randomised_network.read(engine, {"keys": {"blind": "ab" * 32}})  # type: ignore[arg-type]
    assert found == made
    assert set(maps) == {"trained", "shuffled", "random"}
    assert why == ""
    engine.store.put_document("cd" * 32, document(maps={"trained": "9" * 64}))
    assert "no longer kept" in randomised_network.read(engine, {"keys": {"blind": "cd" * 32}})[2]  # type: ignore[arg-type]
    assert randomised_network.read(engine, {"sentences": {"blind": "too long"}})[2] == "too long"  # type: ignore[arg-type]


def test_the_link_carries_what_differs(shipped: Path) -> None:
    assert randomised_network.link_of(TRIAGE, "integrated_gradients", True) == {"method": "", "same": ""}
    assert randomised_network.link_of(FILM, "saliency", False) == {"method": "saliency", "same": "0"}

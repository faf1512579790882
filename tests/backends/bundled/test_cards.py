"""Cards are complete: their figures passed, and they give examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.bundled import NAMES, cards


@pytest.mark.parametrize("name", NAMES)
def test_the_figures_of_a_card_are_complete_and_pass(name: str):
    card = cards.read(name)
    assert card["figures"], f"measure it: python -m benchmarks.gates {name}"
    for figure in card["figures"]:
        assert figure.keys() >= {"name", "value", "n", "gate", "passed", "what"}
        assert figure["passed"]
        assert figure["n"] >= 1
    assert card["training"]["seconds"] > 0
    assert Path(card["training"]["script"]).exists()
    assert any("ynthetic" in limit or "Made-up" in limit for limit in card["limits"])


def test_every_card_gives_four_to_eight_examples_and_a_cover():
    for name in NAMES:
        card = cards.read(name)
        assert 4 <= len(card["examples"]) <= 8
        assert 0 <= card["cover"] < len(card["examples"])


def test_writing_a_card_again_keeps_its_figures_and_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cards.read("triage")
    (tmp_path / "card.json").write_text(json.dumps(before | {"title": "old words"}), encoding="utf-8")
    monkeypatch.setattr(cards, "folder", lambda name: tmp_path)
    cards.write("triage")
    after = cards.read("triage")
    assert after["title"] == cards.WORDS["triage"]["title"]
    assert (after["figures"], after["training"]) == (before["figures"], before["training"])
    cards.write("triage", figures=[])
    assert cards.read("triage")["figures"] == []
    assert cards.read("triage")["training"] == before["training"]


@pytest.mark.parametrize("name", ["names", "triage", "scenes"])
def test_the_examples_in_a_card_are_those_that_are_made(name: str) -> None:
    assert cards.read(name)["examples"] == cards.examples(name)

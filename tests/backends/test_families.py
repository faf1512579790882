"""Families that people come with: each is opened like a stranger's folder and checked by other routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import open_model
from backends.hooks import probe
from backends.hooks.recording import Recording
from backends.hooks.sites import Sites
from benchmarks import families as bench
from tests import families

QUICK = ("GPT-2", "Gemma 2", "BERT, masked words", "T5", "CLIP", "Swin")
SUMS = {"BERT", "BERT, masked words", "RoBERTa", "DistilBERT", "DeBERTa-v2", "BART"}  # they norm what a block adds
OWN_ATTENTION = {"GPT-J", "Bloom", "DeBERTa-v2"}
ROUTED = {"Mixtral", "gpt-oss"}
MOST = {
    "answer": 1e-5, "attention": 2e-6, "heads": 1e-5, "residual": 1e-5, "lens": 1e-5, "patch": 0.0,
    "completeness": 0.03, "steps": 1e-5,
}  # fmt: skip


def expected(name: str, stack: str) -> set[str]:
    """The views that a stack of this family cannot have."""
    if name == "Swin":
        return {"attention", "residual"}
    gone = {"components"} if name in SUMS and stack != "cross" else set()
    gone |= {"heads"} if name in OWN_ATTENTION else set()
    return gone | ({"completeness"} if name in ROUTED else set())


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in families.MAKERS]
)
def test_a_family_is_exact_or_withdrawn(name: str, tmp_path: Path) -> None:
    for row in bench.rows(name, tmp_path):
        assert set(row["withdrawn"]) == expected(name, row["stack"]), row
        for check, most in MOST.items():
            if row[check] is not None and check not in row["withdrawn"]:
                assert row[check] <= most, (name, row["stack"], check)
        if "attention" not in row["withdrawn"] and name not in ("ResNet", "ConvNeXt"):
            assert row["attention"] is not None
            assert row["patch"] is not None


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("Gemma 2", {"attention", "heads", "residual", "components", "unembedding"}),
        ("T5", {"attention", "heads", "residual", "components", "unembedding", "next_token"}),
        ("Swin", {"gradient", "classes"}),
    ],
)
def test_what_a_family_offers(name: str, has: set[str], tmp_path: Path) -> None:
    model = open_model(str(families.make(name, tmp_path)))
    assert has <= model.offers
    assert not model.warnings


@pytest.fixture
def gpt2(tmp_path: Path) -> Any:
    return open_model(str(families.make("GPT-2", tmp_path)))


def located(model: Any) -> Sites:
    batch = model.encode(model.sample)
    return probe.locate(model.module, lambda: model.outputs(model.features(batch), batch))


def test_a_state_that_cannot_be_put_back_withdraws_states(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Recording._edit_and_store
    monkeypatch.setattr(Recording, "_edit_and_store", lambda self, site, layer, x: given(self, site, layer, x) * 1.01)
    sites = located(gpt2)
    assert "replaced by itself changes this network's answer by" in sites.withdrawn["residual"]
    assert "residual" not in sites.offers


def test_a_head_that_another_route_contradicts_is_not_switched_off(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = probe._ColumnEraser
    monkeypatch.setattr(probe, "_ColumnEraser", lambda columns: wrong(slice(0, 1)))
    sites = located(gpt2)
    assert "differs from its columns of the output projection set to zero by" in sites.withdrawn["heads"]
    assert "heads" not in sites.offers


def test_the_table_lists_every_family() -> None:
    page = bench.PAGE.read_text(encoding="utf-8")
    missing = [name for name in families.MAKERS if f"| {name} " not in page]
    assert not missing, "run python -m benchmarks.families --save"

"""The panel of methods that no tab of a page draws: what it offers, asks for, shows, and leaves in the link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from backends import registry
from backends.errors import Refused
from backends.methods.base import Method, option
from backends.results import Result
from tests.viz.fakes import FILM, TRIAGE, FakeEngine
from viz.components import method_panel
from viz.components.method_panel import MethodPanel

GIVEN = {"digest": "a" * 64, "text": "no fever"}
RESULT = Result("reach", {"reach": np.array([1.0, 2.0], np.float32)}, {"reach": ("layer",)}, unit="token")


@dataclass(frozen=True)
class Reach(Method):
    """How far does each layer look? A method that somebody adds beside the others, seen in no tab."""

    needs: ClassVar = frozenset({"residual"})
    question: ClassVar = "trajectory"
    title: ClassVar = "Reach"
    source: ClassVar = "nobody, nowhere"
    least: float = option(0.5, "the least that counts", low=0, high=1)


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> MethodPanel:
    methods = {**registry.entries("methods"), "reach": Reach}
    monkeypatch.setattr(registry, "entries", lambda package: methods)
    monkeypatch.setattr(registry, "method", methods.__getitem__)
    return MethodPanel("trajectory", ("trajectory-card", "trajectory-input", "trajectory-aim"), ("words", "states"))


def test_it_offers_what_no_tab_draws_where_the_model_can_have_it(panel: MethodPanel) -> None:
    assert panel.methods(TRIAGE) == ["reach"]
    assert panel.methods(FILM) == []


def test_what_was_run_is_asked_for_on_the_input_at_hand(panel: MethodPanel) -> None:
    asked = {"method": "reach", "options": {"least": "0.25"}}
    request = panel.requests(asked, TRIAGE, GIVEN, "urgent")[method_panel.JOB]
    assert (request["method"], request["options"], request["target"]) == ("reach", {"least": 0.25}, "urgent")
    assert request["input"] == GIVEN["digest"]
    assert panel.requests(None, TRIAGE, GIVEN, None) == {}
    assert panel.requests(asked, None, GIVEN, None) == {}
    assert panel.requests(asked, TRIAGE, None, None) == {}
    assert panel.requests(asked, FILM, GIVEN, None) == {}
    with pytest.raises(Refused, match="Reach: least must be a number from 0 to 1"):
        panel.requests({"method": "reach", "options": {"least": 7}}, TRIAGE, GIVEN, None)


def test_the_link_brings_back_method_and_options(panel: MethodPanel) -> None:
    kept = method_panel.params({"method": "reach", "options": {"least": 0.25}})
    assert kept == {"other": "reach", "other_options": {"least": 0.25}}
    assert method_panel.linked({"other": "reach", "other_options": '{"least": 0.25}'}) == {
        "method": "reach", "options": {"least": 0.25},
    }  # fmt: skip
    assert method_panel.linked({"other": "reach", "other_options": "[1"}) == {"method": "reach", "options": {}}
    assert method_panel.linked({}) is None
    assert method_panel.params({"method": "reach", "options": {"least": 7}}) == {"other": "reach"}
    assert method_panel.params(None) == {}
    assert "there is not" in method_panel.absent("telepathy")
    assert method_panel.absent("reach").startswith("Reach, which this model")


def test_a_result_is_drawn_with_its_unit_and_its_files(panel: MethodPanel, tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    engine.store.put_result("b" * 64, RESULT)
    shown = str(method_panel.pictures("trajectory", "b" * 64, engine.store.get_result("b" * 64), False))
    assert "trajectory-other-by_axes" in shown
    assert "reach (token)" in shown
    assert f"/results/{'b' * 64}/csv" in shown


def test_a_result_that_nothing_draws_keeps_its_files(panel: MethodPanel) -> None:
    result = Result("reach", {"x": np.zeros((1, 1, 1), np.float32)}, {"x": ("a", "b", "c")})
    shown = str(method_panel.pictures("trajectory", "c" * 64, result, False))
    assert "No figure knows" in shown
    assert "/results/" in shown


def test_it_is_part_of_the_page_and_hidden_until_it_is_needed(panel: MethodPanel) -> None:
    section: Any = panel.parts({"other": "reach"})
    assert (section.id, section.className) == ("trajectory-others", "d-none")
    stores = {part.id: part.data for part in section._traverse_ids() if hasattr(part, "data")}
    assert stores["trajectory-others-asked"] == {"method": "reach", "options": {}}

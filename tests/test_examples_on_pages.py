"""A method for each question, a figure and a page, each one fresh file: offered, computed and drawn where it belongs.

The files are those of docs/examples, laid beside the bundled ones; tests/browser/test_extending.py sees them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from viz import figures
from viz.components import method_panel

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
TEXT = "When Mary and John went to the store, John gave a drink to"
FRESH = {
    "attention": "sink_share",
    "attribution": "gradient_norm",
    "trajectory": "state_step",
    "causal": "layer_skip",
    "diffusion": "word_spread",
}
OTHERS = {"attention": "page", "trajectory": "page", "causal": "page", "diffusion": "prompt_form"}
"""Where each page keeps its panel of other methods."""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for home, folder in (("backends.methods.attribution", "methods"), ("viz.figures", "figures")):
        package = importlib.import_module(home)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(EXAMPLES / folder)])
    registry.entries.cache_clear()
    figures.builders.cache_clear()
    before = set(sys.modules)
    yield
    stems = {path.stem for path in EXAMPLES.glob("*/*.py")}
    for name in set(sys.modules) - before:
        if name.rsplit(".", 1)[-1] in stems:
            del sys.modules[name]
    registry.entries.cache_clear()
    figures.builders.cache_clear()


def card_of(model: Any) -> dict[str, Any]:
    return {"name": model.name, "revision": "1", "offers": sorted(model.offers), "withdrawn": {}, "task": model.task}


def panel_of(question: str) -> method_panel.MethodPanel:
    return importlib.import_module(f"viz.pages.{question}.{OTHERS[question]}").OTHERS


@pytest.mark.parametrize(("question", "method"), FRESH.items())
def test_a_fresh_method_says_its_question(fresh: None, question: str, method: str) -> None:
    assert registry.method(method).question == question
    assert len((EXAMPLES / "methods" / f"{method}.py").read_text().splitlines()) < 60


@pytest.mark.parametrize("question", ["attention", "trajectory", "causal"])
def test_a_fresh_method_of_a_text_is_on_its_page(fresh: None, question: str) -> None:
    model = backends.open_model("bundled/names")
    card, method, panel = card_of(model), FRESH[question], panel_of(question)
    assert panel.methods(card) == [method]
    given, asked = {"digest": "a" * 64, "text": TEXT}, {"method": method, "options": {}}
    more = [{"of": given["digest"], "digest": "b" * 64}, {"pair": "b" * 64}] if question == "causal" else []
    request = panel.requests(asked, card, given, None, *more)[method_panel.JOB]
    assert (request["method"], request["input"]) == (method, given["digest"])
    result = backends.run(model, method, TEXT)
    assert "Graph" in str(method_panel.pictures(question, "c" * 64, result, False))


def test_a_fresh_method_of_a_drawing_is_on_its_page(fresh: None) -> None:
    model = backends.open_model("bundled/scenes")
    panel = panel_of("diffusion")
    assert panel.methods(card_of(model)) == ["word_spread"]
    asked = {"method": "word_spread", "options": {"steps": "4"}}
    request = panel.requests(asked, card_of(model), {"a": {"input": "a" * 64}}, None)[method_panel.JOB]
    assert (request["input"], request["options"]["steps"]) == ("a" * 64, 4)
    result = backends.run(model, "word_spread", "a red circle above a blue square", steps=4)
    spread = dict(zip(result.labels["word"], result.arrays["spread"], strict=True))
    assert spread["circle"] < spread["above"]  # a thing lies close together
    assert figures.draw(result).data[0].type == "bar"


def test_the_fresh_methods_mean_what_they_say(fresh: None) -> None:
    model = backends.open_model("bundled/names")
    pattern = backends.run(model, "attention", TEXT).arrays["pattern"]
    sink = backends.run(model, "sink_share", TEXT).arrays["share"]
    np.testing.assert_allclose(sink, pattern[:, :, 1:, 0].mean(-1), rtol=1e-5)
    norm = backends.run(model, "residual_trajectory", TEXT).arrays["norm"]
    moved = backends.run(model, "state_step", TEXT).arrays["step"] * norm[:-1]
    assert (np.abs(np.diff(norm, axis=0)) <= moved + 1e-3).all()  # the triangle's inequality


def test_a_fresh_figure_draws_what_it_accepts(fresh: None) -> None:
    result = backends.run(backends.open_model("bundled/names"), "layer_skip", TEXT)
    assert figures.available(result) == ["layer_bars"]
    figure = figures.draw(result)
    assert list(figure.data[0].x) == pytest.approx(result.arrays["effect"].tolist())
    assert figure.layout.xaxis.title.text == "effect (logit)"

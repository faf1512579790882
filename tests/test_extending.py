"""The newcomer's test of the contracts: one method, measure, family and page, each one new file and no list edited.

The files are those of docs/examples; they are laid beside the others here, and found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import backends
import backends.evidence.measures
import backends.methods.attribution
import backends.models.families
from backends import registry

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def extended(monkeypatch):
    """The house with one more file in each of four folders."""
    import sys

    import viz.pages

    for package, folder in (
        (backends.methods.attribution, "methods"),
        (backends.models.families, "models"),
        (backends.evidence.measures, "measures"),
        (viz.pages, "pages"),
    ):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(EXAMPLES / folder)])
    registry.entries.cache_clear()
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(
            (
                "backends.methods.attribution.gradient_norm",
                "backends.models.families.token_classifier",
                "backends.evidence.measures.gini_index",
                "viz.pages.figures",
            )
        ):
            del sys.modules[name]
    registry.entries.cache_clear()


def test_a_new_method_is_offered_computed_and_checked(extended, opened) -> None:
    from backends.evidence import method_check

    model = opened("tiny_bert")
    assert "gradient_norm" in backends.methods(model)
    result = backends.run(model, "gradient_norm", "no fever but severe chest pain", power=1.0)
    plain = backends.run(model, "saliency", "no fever but severe chest pain")
    np.testing.assert_allclose(result.arrays["attribution"], plain.arrays["attribution"], rtol=1e-5)
    assert method_check.check(model, "gradient_norm")["holds"]


def test_a_new_measure_is_found_computed_and_shown(extended, tmp_path) -> None:
    from backends.requests import Metrics
    from tests.backends.jobs.asking import Asking
    from viz.pages.evidence import metrics

    assert registry.entries("evidence.measures")["gini_index"].title == "Gini index"
    here = Asking(tmp_path, "bundled/triage")
    request = here.tested(Metrics, "saliency")
    made = here.do(request)
    row = made["table"][-1]
    values = here.store.get_result(made["map"]).arrays["attribution"][1:-1]  # without the special tokens
    apart = np.abs(np.subtract.outer(np.abs(values), np.abs(values))).sum()  # the mean difference, by its definition
    assert row["name"] == "Gini index"
    assert row["value"] == pytest.approx(apart / (2 * len(values) * np.abs(values).sum()))
    assert "how few cells hold the map" in str(metrics.shown(made, "a" * 64))


def test_a_new_family_opens_a_folder(extended, tmp_path) -> None:
    import torch
    import transformers

    from tests.conftest import tokenizer

    config = transformers.BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, num_labels=3
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertForTokenClassification(config).save_pretrained(tmp_path)
    tokenizer(framed=True).save_pretrained(tmp_path)
    model = backends.open_model(str(tmp_path))
    assert model.task == "token-classification"
    assert {"attention", "integrated_gradients", "residual_trajectory"} <= set(backends.methods(model))
    assert backends.run(model, "saliency", "mary gave john a drink").arrays["attribution"].shape == (7,)


def test_a_new_page_is_served(extended, tmp_path) -> None:
    import app
    from backends.jobs.engine import Engine
    from backends.store import Store

    served = app.create_app(Engine(Store(tmp_path)))
    assert any(page["path"] == "/figures" for page in __import__("dash").page_registry.values())
    assert served.server.test_client().get("/figures").status_code == 200
    __import__("dash").page_registry.pop("viz.pages.figures")

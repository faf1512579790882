"""The newcomer's test of the contracts: one new file each, no list edited, found and at work.

The files are those of docs/examples. They are laid into a folder that VITRINE_PLUGINS names, and once beside the
bundled ones.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import backends
from backends import plugins, registry
from tests.backends.jobs.asking import Asking

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
HOMES = {
    "methods": "backends.methods.attribution", "families": "backends.models.families", "jobs": "backends.jobs",
    "measures": "backends.evidence.measures", "pages": "viz.pages", "figures": "viz.figures",
}  # fmt: skip
PACKAGES = {
    "methods": "methods", "families": "models.families", "jobs": "jobs", "measures": "evidence.measures"
}  # fmt: skip


@pytest.fixture
def extended(plugin_folder: Path) -> Path:
    """The house with the examples in a folder of somebody's own."""
    shutil.copytree(EXAMPLES, plugin_folder, dirs_exist_ok=True)
    return plugin_folder


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch):
    """The house with the examples beside the bundled files."""
    for kind, home in HOMES.items():
        package = importlib.import_module(home)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(EXAMPLES / kind)])
    registry.entries.cache_clear()
    before = set(sys.modules)
    yield
    laid = {f"{home}.{path.stem}" for kind, home in HOMES.items() for path in (EXAMPLES / kind).glob("*.py")}
    for name in (set(sys.modules) - before) & laid:
        del sys.modules[name]
    registry.entries.cache_clear()


def examples(kind: str) -> set[str]:
    return {path.stem for path in (EXAMPLES / kind).glob("*.py")}


@pytest.mark.parametrize("how", ["extended", "beside"])
@pytest.mark.parametrize("kind", PACKAGES)
def test_every_example_is_found(how: str, kind: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(how)
    assert examples(kind)
    assert examples(kind) <= set(registry.entries(PACKAGES[kind]))
    assert plugins.problems() == []


def test_every_example_is_one_file_of_under_60_lines() -> None:
    for path in EXAMPLES.glob("*/*"):
        if path.suffix == ".py":
            assert len(path.read_text().splitlines()) < 60, path
            assert path.parent.name in plugins.KINDS, path


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
    __import__("dash").page_registry.pop("vitrine_plugins.pages.figures")


def test_a_new_job_is_carried_out_by_the_worker(extended, tmp_path) -> None:
    here = Asking(tmp_path / "store", "bundled/triage", raw={"text": "no fever"})
    kind = registry.entries("jobs")["lost_letters"].request
    seen: list[float] = []
    made = here.do(here.request(kind, input=here.input["input"], most=5), seen.append)
    assert made["copies"] == 5
    assert seen == [0.2, 0.4, 0.6, 0.8, 1.0]
    model = backends.open_model("bundled/triage")
    for left, answer in [("no fever", made["answer"]), *made["changed"].items()]:
        assert model.predict(model.encode(left), 1)[0].label == answer


def test_a_new_job_is_carried_out_by_the_engine_in_its_own_process(extended, tmp_path) -> None:
    from backends.jobs.engine import Engine

    here = Asking(tmp_path / "store", "bundled/triage", raw={"text": "no fever"})
    asked = here.request(registry.entries("jobs")["lost_letters"].request, input=here.input["input"], most=2)
    engine = Engine(here.store)
    try:
        key = engine.submit(asked.plain(), "tab")
        assert engine.wait(key, 120).status == "done", engine.state(key).message
        assert here.store.get_document(key)["copies"] == 2
    finally:
        engine.close()


def test_a_page_that_cannot_be_set_up_is_left_out_and_the_others_served(plugin_folder, tmp_path) -> None:
    import dash

    import app
    from tests.viz.fakes import FakeEngine

    (plugin_folder / "pages").mkdir()
    text = (EXAMPLES / "pages" / "figures.py").read_text()
    text = text.replace('    """Nothing on this page asks for a job."""', "    raise KeyError('nothing')")
    (plugin_folder / "pages" / "figures.py").write_text(text)
    served = app.create_app(FakeEngine(tmp_path / "store"))  # type: ignore[arg-type]
    assert served.server.test_client().get("/attention").status_code == 200
    assert "/figures" not in [page["path"] for page in dash.page_registry.values()]
    assert "figures.py is left out: register fails (KeyError: 'nothing')" in plugins.problems("figures")[0]

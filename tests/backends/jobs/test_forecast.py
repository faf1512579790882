"""What a model and its runs take, as a job."""

from __future__ import annotations

import shutil

from backends import catalog
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.requests import Forecast
from backends.store import Store


def test_the_job_forecasts_a_shape_an_open_model_and_its_runs(tiny_bert, tmp_path) -> None:
    models().get("bundled/triage")
    source = catalog.resolve("bundled/triage")
    about = {"model": source.name, "revision": source.revision, "when": 1}
    assert worker.perform(Forecast(**about).plain(), str(tmp_path))["measured"]
    closed = worker.perform(Forecast(**{**about, "model": f"{tiny_bert}?dtype=float16"}).plain(), str(tmp_path))
    assert not closed["measured"]
    assert closed["dtype"] == "float16"
    digest = Store(tmp_path).put_input({"text": "no fever"})
    asked = Forecast(**about, input=digest, methods={"saliency": {}, "occlusion": {}})
    runs = worker.perform(asked.plain(), str(tmp_path))
    assert set(runs["runs"]) == {"saliency", "occlusion"}


def test_a_model_without_weights_is_forecast_from_its_config(tiny_bert, tmp_path) -> None:
    shutil.copy(tiny_bert / "config.json", tmp_path)
    asked = Forecast(model=str(tmp_path), revision="config", when=1)
    found = worker.perform(asked.plain(), str(tmp_path / "store"))
    assert not found["measured"]
    assert found["weights"]["float32"] > 0

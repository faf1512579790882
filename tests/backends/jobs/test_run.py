"""One method of one input as a job."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import backends
from backends import catalog
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.requests import Run
from backends.results import Result
from backends.store import Store

TEXT = {"text": "no fever but severe chest pain"}


def test_the_result_is_that_of_the_door_and_names_its_request(tiny_bert: Path, tmp_path: Path) -> None:
    source = catalog.resolve(str(tiny_bert))
    named = {"model": source.name, "revision": source.revision, "input": Store(tmp_path).put_input(TEXT)}
    asked = Run(**named, method="saliency", options={"smooth": 0}, target="urgent")
    made = worker.perform(asked.plain(), str(tmp_path))
    assert isinstance(made, Result)
    assert made.request == asked.plain()
    own = backends.run(models().get(source.name), "saliency", TEXT, target="urgent", smooth=0)
    np.testing.assert_allclose(made.arrays["attribution"], own.arrays["attribution"], rtol=1e-5)
    assert Run.from_plain(own.request).input is None  # of a script's input there is no digest

"""Opening a model as a job."""

from __future__ import annotations

from pathlib import Path

from backends import catalog, running
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.requests import OpenModel


def test_the_card_is_that_of_the_model_whatever_its_files_were(tiny_bert: Path, tmp_path: Path) -> None:
    asked = OpenModel(model=str(tiny_bert), revision="an older one")
    card = worker.perform(asked.plain(), str(tmp_path))
    assert card == running.card(models().get(str(tiny_bert)))
    assert card["revision"] == catalog.resolve(str(tiny_bert)).revision

"""A window on one head as a job."""

from __future__ import annotations

from pathlib import Path

from backends import catalog
from backends.jobs import worker
from backends.jobs.model_cache import models
from backends.methods.attention import attention_window
from backends.requests import AttentionWindow
from backends.store import Store

TEXT = {"text": "the doctor saw patient and chart"}


def test_the_input_is_read_from_the_store(tiny_gpt2: Path, tmp_path: Path) -> None:
    source, given = catalog.resolve(str(tiny_gpt2)), Store(tmp_path).put_input(TEXT)
    options = {"layer": 0, "head": 0, "rows": [3, 4], "size": [1, 6]}
    asked = AttentionWindow(model=source.name, revision=source.revision, input=given, options=options)
    found = worker.perform(asked.plain(), str(tmp_path))
    model = models().get(source.name)
    assert found == attention_window.read_window(model, model.encode(TEXT), options)

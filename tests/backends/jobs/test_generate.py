"""A continuation as a job: every step is an input that a page can stand on."""

from __future__ import annotations

from pathlib import Path

from backends import catalog
from backends.jobs import worker
from backends.requests import Generate, Predict
from backends.store import Store

PROMPT = "no fever but severe chest pain ."


def test_the_job_keeps_every_step_as_an_input(tiny_gpt2: Path, tmp_path: Path) -> None:
    source, store = catalog.resolve(str(tiny_gpt2)), Store(tmp_path)
    named = {"model": source.name, "revision": source.revision}
    options, given = {"tokens": 4, "temperature": 2.0, "seed": 3}, store.put_input({"text": PROMPT})
    said = worker.perform(Generate(**named, input=given, options=options).plain(), str(tmp_path))
    assert isinstance(said, dict)
    assert said["steps"][0] == given
    assert len(said["steps"]) == len(said["ids"]) + 1
    assert "inputs" not in said
    for count, digest in enumerate(said["steps"][1:], 1):
        raw = store.get_input(digest)
        assert raw["ids"] == [*said["prompt"]["ids"], *said["ids"][:count]]
        assert raw["text"].startswith(PROMPT)
    answer = worker.perform(Predict(**named, input=said["steps"][-1]).plain(), str(tmp_path))
    assert isinstance(answer, dict)
    assert len(answer["tokens"]) == len(said["prompt"]["ids"]) + len(said["ids"])

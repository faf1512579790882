"""What a model answers to a touched input, as a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import catalog
from backends.errors import Refused
from backends.jobs import worker
from backends.requests import Edit
from backends.store import Store


def test_both_answers_come_from_one_job(tiny_bert: Path, tmp_path: Path) -> None:
    source, store = catalog.resolve(str(tiny_bert)), Store(tmp_path)
    about = {"model": source.name, "revision": source.revision, "input": store.put_input({"text": "no fever"})}
    found = worker.perform(Edit(**about, edits=[[0, 2]], replacement="mask").plain(), str(store.root))
    assert {"label", "before", "after"} == set(found["choices"][0])
    with pytest.raises(Refused, match="is no edit"):
        worker.perform(Edit(**about, edits=[["x"]], replacement="mask").plain(), str(store.root))

"""What a model answers, as a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backends import catalog
from backends.jobs import worker
from backends.requests import Predict
from backends.store import Store


def predict(folder: Path, store: Store, raw: dict[str, Any]) -> Any:
    source = catalog.resolve(str(folder))
    asked = Predict(model=source.name, revision=source.revision, input=store.put_input(raw))
    return worker.perform(asked.plain(), str(store.root))


def test_the_answer_comes_with_what_the_model_read(
    tiny_bert: Path, tiny_vit: Path, picture: Any, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    told = predict(tiny_bert, store, {"text": "no fever"})
    assert sum(choice["probability"] for choice in told["prediction"]) == pytest.approx(1, abs=1e-5)
    assert told["tokens"] == ["[CLS]", "no", "fever", "[SEP]"]
    assert told["spans"][1:3] == [[0, 2], [3, 8]]
    assert (told["corrupted"], told["output"], told["patches"]) == (None, None, None)
    seen = predict(tiny_vit, store, {"image": Image.fromarray(picture)})
    assert seen["patches"] == {"grid": [4, 4], "first": 1}


def test_of_a_pair_both_are_answered_or_it_is_said_where_they_part(tiny_bert: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    both = predict(tiny_bert, store, {"clean": {"text": "no fever"}, "corrupted": {"text": "no pain"}})
    assert both["corrupted"]["tokens"] == ["[CLS]", "no", "pain", "[SEP]"]
    parted = predict(tiny_bert, store, {"clean": {"text": "no fever"}, "corrupted": {"text": "pain"}})
    assert set(parted) == {"unequal", "opposite"}
    assert "They part at" in parted["unequal"]

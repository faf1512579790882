"""A corrupted input as a job: made, kept as a pair, and answered."""

from __future__ import annotations

from backends import catalog
from backends.jobs import worker
from backends.requests import Corrupt, Predict
from backends.store import Store


def test_a_corrupted_input_is_made_and_both_are_predicted(tmp_path):
    store = Store(tmp_path)
    text = "When Mary and John went to the store, John gave a drink to"
    given = store.put_input({"text": text})
    about = {"model": "bundled/names", "revision": catalog.resolve("bundled/names").revision}
    made = worker.perform(Corrupt(**about, input=given, how="swap").plain(), str(tmp_path))
    assert made["text"] == text.replace(", John", ", Mary")
    assert store.get_input(made["pair"]) == {"clean": {"text": text}, "corrupted": {"text": made["text"]}}
    assert [len(side) for side in made["tokens"]] == [14, 14]
    both = worker.perform(Predict(**about, input=made["pair"]).plain(), str(tmp_path))
    assert both["prediction"][0]["label"] == "Mary"
    assert both["corrupted"]["prediction"][0]["label"] == "John"
    assert both["corrupted"]["tokens"] == made["tokens"][1]

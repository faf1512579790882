"""What a model and its runs take, in words and as tables."""

from __future__ import annotations

import pytest

from backends.requests import key_of
from tests.viz.reading import text_of
from viz.pages.model import forecast


def test_only_long_or_large_runs_are_announced() -> None:
    run = {"seconds": 0.5, "most_seconds": 0.5, "bytes": 10**6, "free": 10**10}
    assert forecast.words(run) == ""
    assert forecast.words({**run, "seconds": 12.3, "most_seconds": 12.3, "bytes": 1.5e9}) == "about 12 s and 1.4 GB"
    assert forecast.words({**run, "seconds": 60, "most_seconds": 240}) == "about 60 s (at most 4 min) and 0.95 MB"
    assert forecast.words({**run, "bytes": 2 * 10**9}) == "about 500 ms and 1.9 GB"
    assert text_of(forecast.hint({"saliency": run, "kernel_shap": {**run, "seconds": 8}})).startswith(
        "kernel shap: about 8 s"
    )


def test_what_is_free_is_asked_for_anew_after_a_while(monkeypatch) -> None:
    keys = []
    for now in (1000.0, 1001.0, 1000.0 + forecast.KEEPS):
        monkeypatch.setattr(forecast.time, "time", lambda now=now: now)
        keys.append(key_of(forecast.model_request("gpt2")))
    assert keys[0] == keys[1] != keys[2]
    request = forecast.run_request({"name": "m", "revision": "r"}, {"digest": "d"}, {"saliency": {}}, "urgent")
    assert request["methods"] == {"saliency": {}}
    assert (request["input"], request["target"], request["job"]) == ("d", "urgent", "forecast")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.00123, "1.2 ms"), (0.25, "250 ms"), (2.04, "2 s"), (12.3, "12 s"), (90, "2 min"), (5400, "1.5 h")],
)
def test_a_time_is_told_in_its_unit(seconds: float, words: str) -> None:
    assert forecast.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0.00098 MB"), (10**6, "0.95 MB"), (10 * 2**20, "10 MB"), (3 * 2**30, "3.0 GB")]
)
def test_a_number_of_bytes_is_told_in_its_unit(count: float, words: str) -> None:
    assert forecast.size(count) == words


def test_the_longest_bar_is_the_longest_run() -> None:
    found = {"lengths": [128, 4096], "bytes": [2**20, 4 * 2**20], "seconds": [1.0, 2.0], "gradient": 3.0}
    table = forecast.lengths_table(found)
    widths = [c.style["width"] for c in table._traverse() if type(c).__name__ == "I"]
    assert widths == ["25.0%", "50.0%", "100.0%", "100.0%"]  # memory, then seconds, of each length
    assert "6 s" in text_of(table)  # a gradient takes three forwards

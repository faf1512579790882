"""Whether a method is valid, as a job."""

from __future__ import annotations

from pathlib import Path

from backends import catalog
from backends.jobs import worker
from backends.requests import Check


def test_a_method_that_misses_the_change_does_not_hold(tmp_path: Path) -> None:
    source = catalog.resolve("bundled/triage")
    found = {}
    for method in ("saliency", "deep_lift"):
        asked = Check(model=source.name, revision=source.revision, method=method)
        found[method] = worker.perform(asked.plain(), str(tmp_path))
    assert found["saliency"]["holds"]
    assert not found["deep_lift"]["holds"]
    assert "DeepLIFT's parts miss the change" in found["deep_lift"]["sentence"]

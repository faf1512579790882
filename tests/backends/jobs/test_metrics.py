"""Every number of a map as a job: the same as from the door, and none of a method that is not valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.errors import Refused
from backends.evidence import metrics
from backends.jobs.model_cache import models
from backends.requests import Metrics
from tests.backends.jobs.asking import Asking


def test_the_rows_are_the_numbers_of_the_map(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    request = here.tested(Metrics, "saliency")
    seen: list[float] = []
    made = here.do(request, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert made["map"] == request.run().key()
    result = here.store.get_result(made["map"])
    own = metrics.compute_numbers(models().get("bundled/triage"), result, here.store.get_input(request.input))
    assert [row["name"] for row in made["table"]] == [number.name for number in own]
    for row, number in zip(made["table"], own, strict=True):
        assert row["value"] == pytest.approx(number.value, rel=1e-4, abs=1e-6), row["name"]
        assert (row["low"] is None) == (number.control is None)


def test_a_method_that_is_not_valid_has_no_numbers(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    with pytest.raises(Refused, match="DeepLIFT's parts miss the change"):
        here.do(here.tested(Metrics, "deep_lift"))


@pytest.mark.parametrize("model", ["bundled/triage", "bundled/radiograph", "bundled/radiograph-vit"])
@pytest.mark.parametrize("method", ["hires_cam", "relevancy", "guided_grad_cam", "input_x_gradient", "occlusion"])
def test_there_are_numbers_of_every_kind_of_method(tmp_path: Path, model: str, method: str) -> None:
    from backends import registry

    if not registry.method(method).needs <= models().get(model).offers:
        pytest.skip("not offered")
    here = Asking(tmp_path, model)
    made = here.do(here.tested(Metrics, method))
    assert {"SRG", "infidelity", "stability", "sensitivity"} <= {row["name"] for row in made["table"]}

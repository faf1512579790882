"""Every number of a map beside its receipt: present, and on the right side of its control where truth is known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import backends
from backends.evidence.metrics import Number, compute_numbers

TEXT = "no fever but severe chest pain"


def by_name(found: list[Number]) -> dict[str, Number]:
    return {number.name: number for number in found}


@pytest.fixture(scope="module")
def explained() -> tuple:
    model = backends.open_model("bundled/triage")
    return model, backends.run(model, "integrated_gradients", TEXT, target="urgent")


def test_a_texts_map_has_all_of_them(explained: tuple) -> None:
    model, result = explained
    found = by_name(compute_numbers(model, result))
    assert list(found) == [
        "deletion", "insertion", "SRG", "infidelity", "comprehensiveness", "sufficiency", "stability", "sensitivity",
    ]  # fmt: skip
    assert found["SRG"].value == pytest.approx(found["insertion"].value - found["deletion"].value)
    assert found["infidelity"].p < 0.05 < found["infidelity"].value < 0.5
    assert found["comprehensiveness"].value > 0.9
    assert 0.5 < found["stability"].value <= 1
    assert 0 < found["sensitivity"].value < 1
    json.dumps([number.plain() for number in found.values()], allow_nan=False)


def test_an_inverted_map_is_on_the_other_side(explained: tuple) -> None:
    model, result = explained
    inverted = dataclasses.replace(result, arrays={**result.arrays, "attribution": -result.arrays["attribution"]})
    good, bad = by_name(compute_numbers(model, result)), by_name(compute_numbers(model, inverted))
    assert bad["SRG"].value < 0 < good["SRG"].value
    assert bad["comprehensiveness"].value < good["comprehensiveness"].value
    assert bad["infidelity"].p > 0.5


def test_a_picture_has_no_words_to_keep(fresh: object, picture: np.ndarray) -> None:
    model = fresh("tiny_vit")  # type: ignore[operator]
    result = backends.run(model, "saliency", {"image": picture})
    told: list[float] = []
    found = by_name(compute_numbers(model, result, step=told.append))
    assert "comprehensiveness" not in found
    assert told[-1] == 1.0

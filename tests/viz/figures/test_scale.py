"""Ends of a colour scale and the words beside it."""

from __future__ import annotations

import numpy as np
import pytest

from viz.figures import scale


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("bundled/triage", "bundled/triage"),
        ("org/name?dtype=bfloat16", "org/name?dtype=bfloat16"),
        ("/home/ann/models/minilm/v2", "…/minilm/v2"),
        ("~/models", "~/models"),
    ],
)
def test_a_title_says_a_folder_by_the_end_of_its_path(model: str, said: str) -> None:
    assert scale.short(model) == said


@pytest.mark.parametrize(
    ("values", "signed", "ends"),
    [
        ([-1, 3], True, (-3, 3)),
        ([-4, 3, np.nan], True, (-4, 4)),
        ([0, 0], True, (-1, 1)),
        ([2, 5], False, (0, 5)),
        ([-2, 5], False, (-2, 5)),
        ([0, 0], False, (0, 1)),
        ([np.nan], True, (-1, 1)),
        ([np.inf], False, (0, 1)),
    ],
)
def test_signed_scales_are_symmetric_and_others_begin_at_zero(
    values: list[float], signed: bool, ends: tuple[float, float]
) -> None:
    assert scale.limits(np.array(values, np.float32), signed) == ends


def test_values_beyond_the_scale_are_counted() -> None:
    values = np.array([-2, 0, 1, 3, np.nan], np.float32)
    assert scale.beyond(values, (-1.0, 1.0)).startswith("2 values lie beyond the shared scale")
    assert scale.beyond(values, (-2.0, 3.0)) == ""


def test_a_quantity_says_its_unit_or_that_it_has_none() -> None:
    assert scale.quantity("change", "logit") == "change (logit)"
    assert scale.quantity("change", "<b>") == "change (&lt;b&gt;)"
    assert scale.quantity("change", "") == "change (no unit)"


def test_only_a_symmetric_signed_scale_has_a_middle() -> None:
    assert scale.coloraxis(True, (-2.0, 2.0), "t")["cmid"] == 0
    assert "cmid" not in scale.coloraxis(True, (-1.0, 2.0), "t")
    assert "cmid" not in scale.coloraxis(False, (0.0, 2.0), "t")

"""What an attribution says, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.viz import samples
from tests.viz.attributions import text_result
from tests.viz.fakes import EXAMPLES
from viz.components import attribution_summary


def test_numbers_have_true_signs() -> None:
    assert attribution_summary.number(-0.12345, True) == "−0.123"
    assert attribution_summary.number(0.5, True) == "+0.5"
    assert attribution_summary.number(0.0, True) == "0"
    assert attribution_summary.share(0.0123) == "1.23 %"
    assert attribution_summary.share(1e-5) == "under 0.05 %"
    assert attribution_summary.share(0) == "0 %"


def test_facts_carry_units_in_words() -> None:
    said = dict(attribution_summary.facts(text_result()))
    assert said["Number explained"] == "5.25 (logit: the model's score before it becomes a probability)"
    assert said["Compared with"] == "words replaced by the mask token, where the number is −1.5"
    assert said["Completeness gap"].startswith("1.23 %")
    assert said["Cost"] == "34 gradients, 1 forward, 0.5 s"
    pair = dict(attribution_summary.facts(text_result(request={"target": ["urgent", "soon"]})))
    assert pair["Number explained"] == "5.25 (logit: by how much the first answer's score is above the second's)"
    assert attribution_summary.facts(text_result(facts={"text": "", "class_agnostic": True}))[0][0] == "Target"


def test_the_strongest_parts_come_first_with_their_share() -> None:
    found = attribution_summary.strongest(text_result(), most=2)
    assert [(i, n) for i, n, *_ in found] == [(5, "chest"), (6, "pain")]
    assert found[0][2] == pytest.approx(1.0)
    assert found[0][3] == pytest.approx(1.0 / 2.7)
    table = str(attribution_summary.strongest_table(text_result(), "parts"))
    assert "logit" in table
    assert "chest" in table


def test_an_image_s_parts_are_squares_whose_sums_are_kept() -> None:
    result = samples.image_attribution(size=50)
    found = attribution_summary.parts(result)
    assert len(found) == attribution_summary.SQUARES**2
    assert sum(v for _, v in found) == pytest.approx(float(result.arrays["attribution"].sum()), rel=1e-4)
    assert found[0][0].startswith("rows 0–")
    assert len(attribution_summary.parts(samples.image_attribution(size=5))) == 25


def test_the_truth_of_a_text_is_named() -> None:
    example = EXAMPLES["bundled/triage"][0]
    said = attribution_summary.verdict(text_result(), "bundled/triage", example)
    assert said.startswith("The strongest part is one of the words that decide (underlined);")
    assert "84 % of the evidence" in said  # (0.5 + 1 + 0.6) / 2.5
    other = attribution_summary.verdict(text_result(target="routine"), "bundled/triage", example)
    assert "they decide the true answer, urgent" in other
    assert attribution_summary.verdict(text_result(), "bundled/triage", {}) == ""
    assert attribution_summary.truth_spans(EXAMPLES["bundled/names"][0]) == [(5, 9, "indirect object")]


def test_the_truth_of_an_image_is_its_mask(shipped: Path) -> None:
    example = EXAMPLES["bundled/radiograph"][0]
    values = np.zeros((64, 64), np.float32)
    values[25, 45] = 1
    on = dataclasses.replace(
        samples.image_attribution(), arrays={"attribution": values}, axes={"attribution": ("height", "width")}
    )
    said = attribution_summary.verdict(on, "bundled/radiograph", example, "lesion")
    assert said.startswith("The strongest pixel for the answer lies on the lesion (outlined); 100 % of the evidence")
    off = dataclasses.replace(on, arrays={"attribution": np.roll(values, 30, axis=1)})
    assert "lies outside the lesion" in attribution_summary.verdict(off, "bundled/radiograph", example, "lesion")
    against = values.copy()
    against[60, 2] = -3
    told = attribution_summary.verdict(
        dataclasses.replace(on, arrays={"attribution": against}), "bundled/radiograph", example, "lesion"
    )
    assert "the largest value of all, -3, speaks against the answer, outside the lesion" in told
    assert attribution_summary.verdict(on, "bundled/radiograph", example, "tag") == ""
    assert attribution_summary.masks(example) == ["lesion"]
    missing = {**example, "truth": {"lesion": "examples/none.png"}}
    assert attribution_summary.verdict(on, "bundled/radiograph", missing, "lesion") == ""


def test_only_equal_units_are_compared() -> None:
    other = text_result(method="occlusion", unit="logit per window")
    groups, said = attribution_summary.comparable([text_result(), other])
    assert len(groups) == 2
    assert "integrated gradients in logit; occlusion in logit per window" in said
    assert attribution_summary.comparable([text_result(), text_result()])[1] == ""

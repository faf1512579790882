"""What an attribution says, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.results import Result, regroup
from tests.viz import samples
from tests.viz.fakes import EXAMPLES
from viz.components import attribution_summary
from viz.components.token_heat_text import coloured_text, legend


def text_result(**changes: Any) -> Result:
    text = "no fever but severe chest pain"
    spans = [[0, 0], [0, 2], [3, 8], [9, 12], [13, 19], [20, 25], [26, 30], [0, 0]]
    tokens = ("[CLS]", "no", "fever", "but", "severe", "chest", "pain", "[SEP]")
    values = np.array([0, -0.2, 0.1, 0.5, 0.3, 1.0, 0.6, 0], np.float32)
    made = Result(
        "integrated_gradients", {"attribution": values, "span": np.array(spans, np.int32)},
        {"attribution": ("token",), "span": ("token", "edge")}, {"token": tokens}, "logit", True, "urgent",
        {"text": text, "output": 5.25, "baseline": "mask", "baseline_output": -1.5, "completeness_gap": 0.0123,
         "gradients": 34, "forwards": 1, "seconds": 0.5},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


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


def test_a_coloured_text_is_the_text_with_values_and_truth() -> None:
    result = text_result()
    spans = attribution_summary.truth_spans(EXAMPLES["bundled/triage"][0])
    made = coloured_text(result, "id", truth=spans)
    plain = [p for p in made.children if "special" not in p.className]
    assert "".join(p.children for p in plain) == result.facts["text"]
    underlined = "".join(p.children for p in made.children if "truth" in p.className)
    assert underlined == "butchest pain"
    chest = next(p for p in made.children if p.children == "chest")
    assert getattr(chest, "data-tip").startswith("+1")
    assert chest.style["color"] == "#ffffff"


def test_regrouping_keeps_the_sum_and_needs_no_job() -> None:
    whole = regroup(text_result(), "sentence")
    assert whole.arrays["attribution"].sum() == pytest.approx(2.3)
    assert (
        "".join(p.children for p in coloured_text(whole, "id").children if "special" not in p.className)
        == whole.facts["text"]
    )


def test_markup_in_a_text_stays_text() -> None:
    text = "<img src=x onerror=alert(1)>"
    spans = np.array([[0, len(text)]], np.int32)
    result = Result(
        "m", {"attribution": np.ones(1, np.float32), "span": spans},
        {"attribution": ("token",), "span": ("token", "edge")},
        {"token": (text,)}, facts={"text": text},
    )  # fmt: skip
    assert coloured_text(result, "id").children[0].children == text


def test_the_legend_names_both_sides() -> None:
    told = str(legend(text_result(), (-1.0, 1.0)))
    assert "blue speaks against “urgent”" in told
    assert "−1" in told
    unsigned = text_result(signed=False, unit="share")
    assert "for or against is not said" in str(legend(unsigned))

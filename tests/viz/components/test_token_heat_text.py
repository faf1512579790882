"""A text coloured by its tokens' values."""

from __future__ import annotations

import numpy as np
import pytest

from backends.results import Result, regroup
from tests.viz.attributions import text_result
from tests.viz.fakes import EXAMPLES
from viz.components import attribution_summary
from viz.components.token_heat_text import coloured_text, legend


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

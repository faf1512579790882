"""Pictures of interventions: values, words, what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import causal_samples as samples
from viz import figures


def test_a_grid_that_is_not_full_leaves_cells_empty() -> None:
    whole = samples.grid()
    effect = whole.arrays["effect"].copy()
    effect[:2] = np.nan
    figure = figures.draw(dataclasses.replace(whole, arrays={"effect": effect}))
    np.testing.assert_array_equal(np.isnan(figure.data[0].z), np.isnan(effect))
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert figure.layout.title.subtitle.text.startswith("clean 7.9 logit · corrupted -6.2 logit")
    assert "share of the difference restored" in figure.layout.coloraxis.colorbar.title.text


def test_an_approximate_grid_says_so() -> None:
    whole = samples.grid()
    preview = dataclasses.replace(whole, facts={**whole.facts, "approximate": True, "correlation": 0.41})
    said = figures.draw(preview).layout.title.subtitle.text
    assert "approximate: from one gradient · correlation with the exact grid 0.41" in said


def test_contributions_keep_the_largest_and_sum_the_rest() -> None:
    result = samples.logit_attribution()
    figure = figures.draw(result, "contributions", position=2, most=3)
    column = result.arrays["contribution"][:, 2]
    assert figure.data[0].x[-2:] == ("2 others", "residue")
    assert np.isclose(sum(figure.data[0].y), column.sum() + 1e-6)
    assert "at ·and, token 2" in figure.layout.title.subtitle.text
    two = figures.draw(samples.competition(), "rival_parts")
    assert [bar.name for bar in two.data] == ["·Mary", "·John"]


def test_the_crossing_is_marked() -> None:
    figure = figures.draw(samples.competition())
    assert [line.name for line in figure.data] == ["·Mary", "·John"]
    assert len(figure.layout.shapes) == 1
    assert figure.layout.shapes[0].x0 == 2
    assert figure.layout.annotations[0].text == "lead changes"
    assert "the lead changes at 0 mlp" in figure.layout.title.subtitle.text


def test_a_graph_shows_edges_from_left_to_right_above_the_threshold() -> None:
    from viz.figures import circuit_graph

    figure = figures.draw(samples.circuit(), "circuit_graph", threshold=0.05)
    edges = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(edges) == 4
    assert all(trace.x[0] < trace.x[-1] for trace in edges)
    assert sum(trace.line.dash == "dash" for trace in edges) == 1
    assert len(figures.draw(samples.circuit(), "circuit_graph", threshold=0.5).data) == 2
    figure = figures.draw(samples.circuit(), "circuit_graph", threshold=0.59)
    assert figure.layout.title.subtitle.text.startswith("1 edge that restores at least 0.59")
    assert figure.layout.xaxis.ticktext == ("0", "1", "answer")
    assert circuit_graph.placed(["0.0", "1.0", "1.1", "answer"]) == [(0, 0), (1, 0.5), (1, -0.5), (2, 0)]


def test_heads_are_points_and_changes_bars() -> None:
    figure = figures.draw(samples.statistics())
    assert [len(trace.x) for trace in figure.data] == [3, 3]
    assert "specialization 0.2 · focus 0.50 · rank correlation -0.10" in figure.layout.title.subtitle.text
    assert figure.data[1].text[0] == "1.0"
    assert figure.data[1].customdata[0] == "head 1.0"
    bars = figures.draw(samples.changes())
    assert list(bars.data[0].x) == ["0.1.5.3", "head 0.0", "together"]
    assert "then the first answer is ·John" in bars.layout.title.subtitle.text


def test_of_many_heads_only_those_that_stand_out_are_named() -> None:
    from viz.figures import head_scatter

    rng = np.random.default_rng(2)
    values = rng.random((12, 12)).astype(np.float32)
    assert int(head_scatter.standing_out(values).sum()) == head_scatter.NAMED
    assert head_scatter.standing_out(values)[np.unravel_index(values.argmax(), values.shape)]
    assert head_scatter.standing_out(values[:1, :3]).all()

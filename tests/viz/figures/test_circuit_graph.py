"""Edges of a circuit, and where its heads stand."""

from __future__ import annotations

from tests.viz import causal_samples
from viz import figures
from viz.figures import circuit_graph


def test_a_graph_shows_edges_from_left_to_right_above_the_threshold() -> None:
    figure = figures.draw(causal_samples.circuit(), "circuit_graph", threshold=0.05)
    edges = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(edges) == 4
    assert all(trace.x[0] < trace.x[-1] for trace in edges)
    assert sum(trace.line.dash == "dash" for trace in edges) == 1
    assert len(figures.draw(causal_samples.circuit(), "circuit_graph", threshold=0.5).data) == 2
    figure = figures.draw(causal_samples.circuit(), "circuit_graph", threshold=0.59)
    assert figure.layout.title.subtitle.text.startswith("1 edge that restores at least 0.59")
    assert figure.layout.xaxis.ticktext == ("0", "1", "answer")
    assert circuit_graph.placed(["0.0", "1.0", "1.1", "answer"]) == [(0, 0), (1, 0.5), (1, -0.5), (2, 0)]

"""How alike methods' maps are."""

from __future__ import annotations

import numpy as np

from viz.figures import method_agreement


def test_what_copies_reach_too_stands_in_brackets() -> None:
    similarity = [[1, 0.8, -0.1], [0.8, 1, 0.3], [-0.1, 0.3, 1]]
    p = [[0.002, 0.01, 0.7], [0.04, 0.002, 0.01], [0.6, 0.06, 0.002]]
    figure = method_agreement.matrix(["A", "B", "C"], similarity, p)
    heat = figure.data[0]
    np.testing.assert_allclose(heat.z, similarity, atol=1e-6)
    assert [list(row) for row in heat.text] == [
        ["", "0.80", "(−0.10)"],
        ["0.80", "", "(0.30)"],
        ["(−0.10)", "(0.30)", ""],
    ]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-1, 1)
    assert "p = 0.060" in heat.hovertext[1][2]

"""Hiding: what is elsewhere, the judgement over sizes, and the region that is spoken of."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from backends.evidence.measures import hiding
from tests.backends.evidence import linear


def test_a_parts_own_shape_elsewhere_does_not_touch_it() -> None:
    model, image, exact = linear.picture()
    masked = linear.mask(model, {"image": image}, count=1)
    chosen = exact.ravel() > 0
    others = hiding.copy_region(masked, chosen, 16)
    assert others.shape == (16, 256)
    assert set(others.sum(1)) == {16}
    assert not (others & chosen).any()
    assert not len(hiding.copy_region(masked, chosen, 0))


def judged(*parts: tuple[float, float], seen: float = 10.0) -> str:
    """The judgement of parts given as (drop, largest drop elsewhere); no hiding moved the score by more than `seen`."""
    masked = SimpleNamespace(whole=np.zeros(3), drops=np.array([0.0, seen]))
    none = np.zeros((12, 3))
    found = []
    for drop, other in parts:
        others = np.stack([np.full(3, -v) for v in np.linspace(-other, other, 12)])
        found.append(hiding.BrightRegion(np.ones(4, bool), np.full(3, -drop), none, others))
    return hiding.judge(masked, found)  # type: ignore[arg-type]


def test_judgement() -> None:
    assert judged((5.0, 0.1), (5.0, 0.1), (0.0, 0.1)) == "holds"  # two sizes of three
    assert judged((5.0, 0.1), (0.05, 0.1), (0.0, 0.1)) == "fails"  # one size, and not by much
    assert judged((9.0, 0.1), (0.05, 0.1), (0.0, 0.1)) == "cannot tell"
    assert judged((1.0, 0.1), (1.0, 0.1), (1.0, 0.1)) == "fails"  # a trifle
    assert judged((5.0, 6.0), (5.0, 6.0), (5.0, 0.1)) == "fails"  # elsewhere does as much
    assert judged((-5.0, 0.1), (-5.0, 0.1), (-5.0, 0.1)) == "fails"
    assert judged((5.0, 0.1)) == "holds"


def test_of_parts_that_do_the_same_the_smallest_is_spoken_of() -> None:
    masked = SimpleNamespace(whole=np.zeros(3))
    one = [hiding.BrightRegion(np.ones(n, bool), np.full(3, -drop), np.zeros((1, 3)), np.zeros((1, 3)))
           for n, drop in ((1, 2.0), (2, 5.9), (3, 6.0))]  # fmt: skip
    assert len(hiding.select_strongest(masked, one).chosen) == 2  # type: ignore[arg-type]
    assert len(hiding.select_strongest(masked, one, against=True).chosen) == 1  # type: ignore[arg-type]

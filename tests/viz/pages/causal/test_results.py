"""What the page shows of its answers: grids that fill, previews, views and options."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from backends.jobs.engine import State
from backends.requests import key_of
from tests.viz import causal_samples
from tests.viz.fakes import FakeEngine
from tests.viz.pages.causal.cases import BOTH, CALL, GIVEN
from viz.pages.causal import page
from viz.pages.causal import results as views


def test_only_changed_options_stand_in_the_link() -> None:
    there = views.options_of({})
    assert views.differing(there) == {}
    assert views.differing({"circuit": {"ablation": "mean"}}) == {"circuit": {"ablation": "mean"}}
    assert views.differing({"activation_patching": {"site": "heads"}}) == {"activation_patching": {"site": "heads"}}


def test_the_grid_shows_what_the_job_has_so_far(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    key = key_of(requests["exact"])
    beside = {"pair": BOTH["digest"], "tokens": ["a", "b"], "other": ["a", "c"], "patches": None}
    assert views.filling(engine, requests, beside, GIVEN) is None
    engine.states[key] = State("running", 0.5, preview={"effect": [[None, None], [0.5, 0.25]]})
    grid = views.filling(engine, requests, beside, GIVEN)
    assert grid is not None
    assert grid["asked"] == key
    assert grid["said"] == ["Filling: 2 of 4 cells."]
    assert grid["columns"] == ["a", "b"]
    assert grid["other"] == ["", "c"]
    stopped, *_ = views.places(engine, {"sentences": {"exact": "cancelled"}}, requests, beside, GIVEN)
    assert stopped == {"stopped": True, "asked": key}
    assert views.filling(engine, {}, beside, GIVEN) is None


def test_the_whole_grid_stands_beside_its_preview(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    keys = {name: key_of(request) for name, request in requests.items()}
    exact = causal_samples.grid()
    near = dataclasses.replace(exact, method="attribution_patching", facts={**exact.facts, "approximate": True})
    engine.store.put_result(keys["preview"], near)
    grid, preview, words, saves, _ = views.places(engine, {"keys": {"preview": keys["preview"]}}, requests, None, GIVEN)
    assert "empty" in grid
    assert preview is not None
    assert "once that is there" in str(words)
    engine.store.put_result(keys["exact"], exact)
    grid, preview, words, saves, _ = views.places(engine, {"keys": keys}, requests, None, GIVEN)
    assert "clean 7.9 logit · corrupted −6.2 logit" in grid["said"]
    assert "approximate" in str(words)
    assert "Correlation with the exact grid: 1.00; on its scale." in str(words)
    assert keys["exact"] in str(saves)


def test_the_preview_is_drawn_on_the_exact_grids_scale(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    keys = {name: key_of(request) for name, request in requests.items()}
    exact = causal_samples.grid()
    far = exact.arrays["effect"] * 1
    far[0, 0], far[1, 1] = -4.0, 3.0
    near = dataclasses.replace(exact, method="attribution_patching", arrays={**exact.arrays, "effect": far})
    engine.store.put_result(keys["preview"], near)
    alone = views.places(engine, {"keys": {"preview": keys["preview"]}}, requests, None, GIVEN)[1]
    assert alone["ends"] == [-4.0, 4.0]
    engine.store.put_result(keys["exact"], exact)
    grid, preview, words, *_ = views.places(engine, {"keys": keys}, requests, None, GIVEN)
    assert preview["ends"] == grid["ends"] == [-1.0, 1.0]
    assert preview["values"][0][0] == -4.0
    assert "2 values lie beyond the shared scale" in str(words)


def test_a_grid_of_whole_forwards_says_so() -> None:
    result = causal_samples.grid()
    slow = dataclasses.replace(result, facts={**result.facts, "exact_replay": False})
    assert views.whole(result) == []
    assert "each cell is a whole forward" in views.whole(slow)[0]


def test_an_empty_grid_says_why(engine: FakeEngine) -> None:
    assert "give an input" in views.places(engine, {}, {}, None, None)[0]["empty"]
    assert "mend the corrupted one" in views.places(engine, {}, {}, {"failed": "unequal"}, GIVEN)[0]["empty"]


@pytest.mark.parametrize("tab", ["parts", "rivals", "looks"])
def test_views_are_drawn(engine: FakeEngine, tab: str) -> None:
    sample = {"parts": causal_samples.logit_attribution, "rivals": causal_samples.competition,
              "looks": causal_samples.statistics}[tab]()  # fmt: skip
    key = "c" * 64
    engine.store.put_result(key, sample)
    shown = views.rest(engine, {"keys": {tab: key}}, tab, "2", False, tuple(page.VIEWS))
    drawn = dict(zip(("parts", "rivals", "looks"), shown[:3], strict=True))[tab]
    assert "Graph" in str(drawn)
    assert key in str(shown[3 + list(page.VIEWS).index(tab)])
    if tab == "parts":
        assert shown[-1] == "2"
        assert shown[-2][1]["label"] == "0 “When”"
    if tab == "looks":
        assert "Specialization" in str(drawn)
        table = str(drawn).split("Head by head")[1]
        top = np.unravel_index(sample.arrays["deviation"].argmax(), (2, 3))
        assert table.index(f"{top[0]}.{top[1]}") < min(
            table.index(f"'{a}.{b}'") for a in range(2) for b in range(3) if (a, b) != top
        )
        assert "−0.10" in str(drawn)
    if tab == "rivals":
        assert "ends ahead of" in str(drawn)
        assert "took the lead after the MLP of layer 0." in str(drawn)


def test_nonsense_options_in_a_link_are_left_out() -> None:
    assert views.options_of({"options": "{nonsense"}) == {}
    assert views.options_of({"options": '{"nothing": {}, "circuit": {"seed": 2}}'})["circuit"]["seed"] == 2

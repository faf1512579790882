"""The causal page: what it asks for, what a model lacks, and what a link asks for."""

from __future__ import annotations

import pytest

from backends.errors import Refused
from tests.viz.pages.causal.cases import BERT, BOTH, CNN, GIVEN, LM
from viz.pages.causal import edit_heads, page
from viz.pages.causal import results as views


def test_patching_is_asked_for_with_its_preview_of_the_same_site() -> None:
    options = {"activation_patching": {"site": "mlp"}}
    asked = page.sweep_requests(LM, GIVEN, ["Mary", "John"], BOTH, [], options, "probability", "activation_patching")
    assert list(asked) == ["preview", "exact"]
    assert asked["exact"]["input"] == BOTH["digest"]
    for request in asked.values():
        assert request["options"]["site"] == "mlp"
        assert request["options"]["metric"] == "probability"
        assert request["target"] == ["Mary", "John"]


@pytest.mark.parametrize(("method", "digest"), [("head_ablation", "b"), ("knockout", "a"), ("causal_tracing", "b")])
def test_other_sweeps_take_the_pair_where_they_can(method: str, digest: str) -> None:
    asked = page.sweep_requests(LM, GIVEN, None, BOTH, [3, 4], {}, "logit", method)
    assert list(asked) == ["exact"]
    assert asked["exact"]["input"] == digest * 64
    if method == "causal_tracing":
        assert list(asked["exact"]["options"]["subject"]) == [3, 4]


def test_without_a_pair_only_what_needs_none_is_asked_for() -> None:
    assert page.sweep_requests(LM, GIVEN, None, None, [], {}, "logit", "activation_patching") == {}
    assert page.sweep_requests(LM, GIVEN, None, None, [], {}, "logit", "head_ablation")["exact"]["input"] == "a" * 64
    assert page.sweep_requests(LM, GIVEN, None, {"pending": True}, [], {}, "logit", "head_ablation") == {}
    assert page.sweep_requests(CNN, GIVEN, None, BOTH, [], {}, "logit", "head_ablation") == {}
    assert page.sweep_requests(LM, None, None, BOTH, [], {}, "logit", "head_ablation") == {}


def test_a_pair_counts_once_the_model_has_read_both() -> None:
    pair = {"of": "a" * 64, "digest": "b" * 64}
    assert page.usable(GIVEN, pair, None) == {"pending": True}
    assert page.usable(GIVEN, {**pair, "of": "c" * 64}, {"pair": "b" * 64}) == {"pending": True}
    assert page.usable(GIVEN, pair, {"pair": "b" * 64}) == {"digest": "b" * 64}
    assert page.usable(GIVEN, pair, {"pair": "b" * 64, "failed": "unequal"}) is None
    assert page.usable(GIVEN, None, None) is None


def test_the_other_views_and_the_circuits_heads() -> None:
    asked = page.view_requests(LM, GIVEN, None, BOTH, {}, "logit", "circuit", ["1.10", "1.2", "0.3"])
    assert list(asked["circuit"]["options"]["heads"]) == ["0.3", "1.2", "1.10"]
    assert page.view_requests(LM, GIVEN, None, BOTH, {}, "logit", "parts", [])["parts"]["input"] == "a" * 64
    assert page.view_requests(BERT, GIVEN, None, BOTH, {}, "logit", "parts", []) == {}


def test_try_it_asks_for_all_changes_together() -> None:
    assert list(page.try_requests(LM, GIVEN, None, "logit", [], [], 0)) == ["heads"]
    asked = page.try_requests(LM, GIVEN, None, "logit", ["0.0"], ["1.0.5.3"], 0.5)
    options = asked["changed"]["options"]
    assert list(options["heads"]) == ["0.0"]
    assert list(options["edges"]) == ["1.0.5.3"]
    assert (options["alpha"], options["tokens"]) == (0.5, edit_heads.ADDED)
    with pytest.raises(Refused, match="must be a number from 0 to 1000"):
        page.try_requests(LM, GIVEN, None, "logit", ["0.0"], [], "much")


def test_what_a_model_lacks_gets_its_sentence() -> None:
    assert page.missing(LM) == {}
    told = page.missing(BERT)
    assert set(told) == {"parts", "rivals"}
    assert "its blocks norm the sum" in told["parts"]
    assert "no matrix was found that reads its answer" in told["rivals"]
    assert "no blocks were found in it" in str(views.absent(CNN))
    assert "/attribution" in str(views.absent(CNN))


def test_a_link_asks_only_for_what_there_is() -> None:
    assert page.unknown({"tab": "places"}) == []
    assert "“Place by place” is shown instead" in page.unknown({"tab": "nonsense"})[0]
    assert "causal-grid" in str(page.layout(tab="places", off="0.0", edges="no"))


def test_a_patching_grid_can_be_tested_by_another_corruption_and_no_other() -> None:
    asked = {"exact": {"job": "run", "method": "activation_patching"}}
    done = {"keys": {"exact": "1" * 64}}
    assert page.repeatable(done, asked) == {"exact": ("This grid", asked["exact"], {})}
    assert page.repeatable(None, asked) == {}
    assert page.repeatable(done, {"exact": {"job": "run", "method": "causal_tracing"}}) == {}

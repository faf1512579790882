"""What every family shares: targets, scores in batches, predictions, and the stacks of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from backends.errors import Refused
from backends.models.base import Model
from backends.models.families.image_classifier import ImageClassifier
from tests.backends.methods import cases


@pytest.fixture
def model() -> ImageClassifier:
    return cases.linear()


def test_a_pair_is_the_difference_of_two_logits(model: Model) -> None:
    batch = model.encode(cases.image())
    x = model.features(batch)
    one, other, pair = (model.score(x, batch, model.target(spec, batch)) for spec in ("a", 1, ["a", "b"]))
    torch.testing.assert_close(pair, one - other)
    assert model.target(["a", "b"], batch).words == "a rather than b"
    best = model.target(None, batch)
    assert best.ids == (model.predict(batch)[0].index,)


def test_predictions_are_a_distribution_best_first(model: Model) -> None:
    rows = model.predict(model.encode(cases.image()))
    assert sum(row.probability for row in rows) == pytest.approx(1)
    assert rows[0].logit >= rows[1].logit
    assert len(model.predict(model.encode(cases.image()), most=1)) == 1


def test_scores_of_many_inputs_go_in_batches_and_equal_single_ones(model: Model) -> None:
    batch = model.encode(cases.image())
    target, told = model.target("a", batch), list[float]()
    rows = torch.randn(5, *model.features(batch).shape[1:], generator=torch.Generator().manual_seed(0))
    model.batch_sizes[tuple(rows.shape[1:])] = 2
    together = model.scores(rows, batch, target, told.append)
    torch.testing.assert_close(together, torch.cat([model.score(row[None], batch, target) for row in rows]))
    assert told == pytest.approx([0.4, 0.8, 1.0])


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("c", "linear has no class 'c'; its classes are: a, b"),
        (2, "linear has no class '2'"),
        (-1, "linear has no class '-1'"),
        (["a"], r"a contrastive target is a pair \[a, b\], not 1 entries"),
        (["a", 0], "the two sides of the target are the same: 'a'"),
        ({"sequence": "x"}, "linear does not generate text"),
    ],
)
def test_a_target_that_is_not_there_is_refused(model: Model, spec: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        model.target(spec, model.encode(cases.image()))


def test_a_stack_is_named_where_there_are_several(opened: Callable[[str], Any]) -> None:
    one = opened("tiny_gpt2")
    assert one.stack() is one.sites
    with pytest.raises(Refused, match="has no part 'decoder'; it is one stack of layers: leave the name out"):
        one.stack("decoder")


def test_a_family_opens_the_architectures_of_its_tables() -> None:
    assert ImageClassifier.auto_class(["ViTForImageClassification"]) == "AutoModelForImageClassification"
    assert ImageClassifier.auto_class(["Wav2Vec2ForCTC"]) is None

"""What every family shares: targets, scores in batches, predictions, and the stacks of a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import backends
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


def test_classes_that_may_hold_together_have_a_probability_each(tiny_bert: Path, tmp_path: Path) -> None:
    model = _several(tiny_bert, tmp_path)
    batch = model.encode({"text": "no fever"})
    with torch.no_grad():
        logits = model.outputs(model.features(batch), batch)[0].float()
    found = {c.index: c.probability for c in model.predict(batch)}
    assert found == pytest.approx(dict(enumerate(logits.sigmoid().tolist())))
    assert found != pytest.approx(dict(enumerate(logits.softmax(-1).tolist())))
    (tmp_path / "rows.csv").write_text("text,label\nno fever,\nno pain,\n")
    rows = backends.table(model, str(tmp_path / "rows.csv"))["rows"]
    assert rows[0]["probability"] == pytest.approx(max(found.values()), abs=1e-5)


def _several(folder: Path, tmp_path: Path) -> Any:
    other = shutil.copytree(folder, tmp_path / "several")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    return backends.open_model(str(other))

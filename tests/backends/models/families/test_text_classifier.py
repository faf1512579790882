"""Text classifiers: classes by name and index."""

import pytest

from backends.errors import Refused
from tests.conftest import TEXT


def test_classes_are_named_and_predicted(opened):
    model = opened("tiny_bert")
    batch = model.encode(TEXT)
    assert model.labels == ("routine", "soon", "urgent")
    choices = model.predict(batch)
    assert sum(c.probability for c in choices) == pytest.approx(1, abs=1e-5)
    assert model.target(None, batch).words == choices[0].label
    assert "classes" in model.offers


@pytest.mark.parametrize("spec", ["urgent", " URGENT ", 2, "2"])
def test_a_class_is_a_name_or_an_index(opened, spec):
    model = opened("tiny_bert")
    target = model.target(spec, model.encode(TEXT))
    assert (target.ids, target.words) == ((2,), "urgent")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("later", "has no class 'later'; its classes are: routine, soon, urgent"),
        (3, "has no class '3'"),
        (-1, "has no class '-1'"),
        ({"sequence": "x"}, "does not generate text, so its target cannot be a sequence"),
        (["urgent", "urgent"], "the two sides of the target are the same: 'urgent'"),
    ],
)
def test_a_bad_class_is_a_sentence(opened, spec, message):
    model = opened("tiny_bert")
    with pytest.raises(Refused, match=message):
        model.target(spec, model.encode(TEXT))

"""Maps made again: of a noisy input, of shuffled weights; and the job that makes a receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import backends
from backends.evidence import perturbed_runs
from backends.evidence.measures import randomisation

TEXT = {"text": "no fever but severe chest pain"}


def test_weights_are_shuffled_in_a_copy(fresh: Callable[[str], Any]) -> None:
    model = fresh("tiny_bert")
    before = [p.clone() for p in model.module.parameters()]
    other = perturbed_runs.shuffle_weights(model)
    assert all((a == b).all() for a, b in zip(before, model.module.parameters(), strict=True))
    for a, b in zip(before, other.module.parameters(), strict=True):
        assert a.flatten().sort().values.equal(b.flatten().sort().values)
    result = backends.run(model, "saliency", TEXT)
    line = randomisation.make_line(model, model.encode(TEXT), result, None)
    assert line.name == "weights"
    assert "With the network's weights shuffled" in line.sentence


def test_another_input_keeps_what_stands_beside_it() -> None:
    from backends.models.base import Batch

    pair = Batch({"text": "a b c", "pair": "x y", "ids": [1, 2, 3]}, {}, text="a b c")
    assert perturbed_runs.make_other_input(pair) == {
        "text": "c b a",
        "pair": "x y",
    }  # the tokens of the other order are not known
    image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    captioned = perturbed_runs.make_other_input(Batch({"image": image, "text": "one\ntwo"}, {}, image=image))
    assert captioned["text"] == "one\ntwo"
    assert captioned["image"].shape == image.shape
    assert not (captioned["image"] == image).all()

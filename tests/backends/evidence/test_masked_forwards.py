"""Masked forwards: exact on a linear network, the same each time, shared, and never more than asked."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence import masked_forwards
from tests.backends.evidence import linear


def test_drops_are_what_was_hidden() -> None:
    model, image, exact = linear.picture(spot=False)
    masked = linear.mask(model, {"image": image})
    assert np.allclose(masked.drops, masked.hidden @ exact.ravel(), atol=1e-4)
    chance = 1 / (1 + np.exp(-masked.answers[:, 0]))
    assert np.allclose(masked.answers[:, 1], chance, atol=1e-6)


def test_special_tokens_are_never_hidden() -> None:
    model, _ = linear.text({"[CLS]": 5.0, "[SEP]": 5.0, "b": 1.0})
    masked = linear.mask(model, {"text": linear.TEXT})
    assert masked.cells.shape == (12,)
    assert masked.ask(np.ones((1, 12), bool))[0, 0] == pytest.approx(10.0)


def test_the_bank_is_kept_grows_and_follows_the_weights() -> None:
    model, image, _ = linear.picture()
    first = linear.mask(model, {"image": image})
    before = sum(model.calls)
    second = linear.mask(model, {"image": image})
    assert second is first
    larger = linear.mask(model, {"image": image}, count=40)
    assert np.array_equal(larger.hidden[:24], masked_forwards.draw_masks(first.cells.shape, 24, 0))
    assert sum(model.calls) == before + 2 + 16  # the whole input twice, and what is new
    model.weight = model.weight * 2
    assert linear.mask(model, {"image": image}) is not first
    assert linear.mask(model, {"image": image}, seed=1) is not linear.mask(model, {"image": image})


def test_a_question_is_asked_once() -> None:
    model, _ = linear.text({"b": 1.0})
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    rows = np.eye(12, dtype=bool)[[1, 1, 2]]
    before = sum(model.calls)
    assert masked.ask(rows)[:, 0] == pytest.approx([0.0, 0.0, 1.0])
    masked.ask(rows)
    assert sum(model.calls) == before + 2


def test_masks_hide_the_shares_they_say() -> None:
    pictures = masked_forwards.draw_masks((16, 16), 12, 0)
    assert sorted(set(pictures.sum(1))) == list(masked_forwards.list_mask_sizes((16, 16))) == [6, 13, 20]
    words = masked_forwards.draw_masks((10,), 40, 0)
    assert np.array_equal(words[:10], np.eye(10, dtype=bool))
    assert set(words[10:].sum(1)) == {4} == {masked_forwards.list_mask_sizes((10,))[1]}
    assert not (
        masked_forwards.draw_masks((200,), 200, 0).sum(1) == 1
    ).any()  # a long text has no room for every word by itself


def test_elsewhere_is_as_large_and_does_not_touch() -> None:
    model, image, _ = linear.picture()
    masked = linear.mask(model, {"image": image}, count=96)
    chosen = masked.hidden[0]
    apart = masked.elsewhere(chosen)
    assert apart.sum() > 8
    assert set(masked.hidden[apart].sum(1)) == {chosen.sum()}
    assert ((masked.hidden[apart] & chosen).sum(1) <= 0.25 * chosen.sum()).all()


def test_effects_are_the_weights_of_a_linear_network() -> None:
    model, exact = linear.text({"b": 3.0, "e": 2.0, "g": -1.0})
    masked = linear.mask(model, {"text": linear.TEXT}, count=12 + 96)
    assert masked.effects == pytest.approx(exact[1:-1], abs=0.25)
    assert np.argsort(masked.effects)[[0, -2, -1]].tolist() == [6, 4, 1]

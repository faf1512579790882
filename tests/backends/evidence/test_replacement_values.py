"""What stands in for a hidden part: what there is, noise, and what other inputs have there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.errors import Refused
from backends.evidence.cells import Cells
from backends.evidence.replacement_values import MaskedInput, list_replacements
from tests.backends.evidence import linear


def test_a_stand_in_that_is_not_there() -> None:
    model, image, _ = linear.picture()
    assert list_replacements(model, model.encode({"image": image})) == ("surroundings", "zero", "minus", "noise")
    with pytest.raises(Refused, match=r"cannot hide parts by 'mask'; it can by: surroundings, zero, minus, noise"):
        linear.mask(model, {"image": image}, "mask")
    words, _ = linear.text({})
    with pytest.raises(Refused, match=r"cannot hide parts by 'surroundings'; it can by: zero, minus, resample"):
        linear.mask(words, {"text": linear.TEXT}, "surroundings")


def test_noise_is_as_bright_and_as_varied_as_the_picture_and_the_same_each_time() -> None:
    model, image, _ = linear.picture()
    batch = model.encode({"image": image})
    given = MaskedInput(model, batch, model.target("yes", batch), "noise", lambda fraction: None)
    shown = given.replace(torch.ones(1, 1, 16, 16, dtype=torch.bool))
    assert float(shown.mean()) == pytest.approx(float(given.features.mean()), abs=10)
    assert float(shown.std()) == pytest.approx(float(given.features.std()), rel=0.2)
    assert torch.equal(shown, given.replace(torch.ones(1, 1, 16, 16, dtype=torch.bool)))


def test_resampled_words_are_words_of_the_text_and_the_same_each_time() -> None:
    model, _ = linear.text({"b": 1.0})
    model.features = lambda batch: torch.arange(14.0)[None, :, None]  # type: ignore[method-assign]
    batch = model.encode({"text": linear.TEXT})
    given = MaskedInput(model, batch, model.target("yes", batch), "resample", lambda fraction: None)
    hidden = Cells(batch).spread(np.random.default_rng(0).random((5, 12)) < 0.5)
    shown = given.replace(hidden)
    assert torch.equal(shown[~hidden], given.features.expand(5, -1, -1)[~hidden])
    assert set(shown[hidden].tolist()) <= set(range(1, 13))
    assert torch.equal(shown[3:], given.replace(hidden[3:]))


def test_resampled_pictures_have_what_an_example_has_there() -> None:
    import backends
    from backends.bundled.data.radiograph import LABELS, PLAIN, phantoms

    model = backends.open_model("bundled/radiograph")
    made = phantoms(5, 1, strength=PLAIN, labels=np.ones(1))
    batch = model.encode({"image": made.rgb[0]})
    assert list_replacements(model, batch)[:2] == ("surroundings", "resample")
    given = MaskedInput(model, batch, model.target(LABELS[1], batch), "resample", lambda fraction: None)
    hidden = torch.from_numpy(made.lesions)[None]
    whole, without = given.answers(torch.cat([torch.zeros_like(hidden), hidden]))[:, 1]
    clean = model.predict(model.encode({"image": np.repeat(made.clean[0, ..., None], 3, -1)}))
    assert whole > 0.9
    assert without < 0.3 < next(c.probability for c in clean if c.label == LABELS[0])


def test_pair_targets_and_models_without_classes() -> None:
    model, _ = linear.text({"b": 1.0, "c": 0.5})
    batch = model.encode({"text": linear.TEXT})
    pair = MaskedInput(model, batch, model.target(["yes", "no"], batch), "zero", lambda fraction: None)
    none = Cells(batch).spread(np.zeros((1, 12), bool))
    assert pair.answers(none)[0] == pytest.approx([1.5, 1 / (1 + np.exp(-1.5)), 1.5], rel=1e-5)
    model.__class__ = type("Bare", (linear.Linear,), {"offers": frozenset({"answer"})})
    bare = MaskedInput(model, batch, model.target("yes", batch), "zero", lambda fraction: None)
    found = bare.answers(none)[0]
    assert found[0] == pytest.approx(1.5)
    assert np.isnan(found[1:]).all()

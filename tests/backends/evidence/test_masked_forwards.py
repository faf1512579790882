"""The bank: exact on a linear network, the same each time, shared, and never larger than asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.errors import Refused
from backends.evidence import masked_forwards
from backends.evidence.cells import Places, brightest
from backends.evidence.controls import copies, orders, rank
from backends.evidence.replacement_values import Hiding, replacements
from tests.backends.evidence import linear


def made(model: linear.Linear, raw: dict, kind: str = "zero", count: int = 24, seed: int = 0) -> masked_forwards.Bank:
    batch = model.encode(raw)
    hiding = Hiding(model, batch, model.target("yes", batch), kind, lambda fraction: None)
    return masked_forwards.bank(hiding, Places(batch), seed, count)


def test_drops_are_what_was_hidden() -> None:
    model, image, exact = linear.picture(spot=False)
    bank = made(model, {"image": image})
    assert np.allclose(bank.drops, bank.hidden @ exact.ravel(), atol=1e-4)
    chance = 1 / (1 + np.exp(-bank.answers[:, 0]))
    assert np.allclose(bank.answers[:, 1], chance, atol=1e-6)


def test_special_tokens_are_never_hidden() -> None:
    model, _ = linear.text({"[CLS]": 5.0, "[SEP]": 5.0, "b": 1.0})
    bank = made(model, {"text": linear.TEXT})
    assert bank.places.shape == (12,)
    assert bank.ask(np.ones((1, 12), bool))[0, 0] == pytest.approx(10.0)


def test_pair_targets_and_models_without_classes() -> None:
    model, _ = linear.text({"b": 1.0, "c": 0.5})
    batch = model.encode({"text": linear.TEXT})
    pair = Hiding(model, batch, model.target(["yes", "no"], batch), "zero", lambda fraction: None)
    none = Places(batch).hidden(np.zeros((1, 12), bool))
    assert pair.answers(none)[0] == pytest.approx([1.5, 1 / (1 + np.exp(-1.5)), 1.5], rel=1e-5)
    model.__class__ = type("Bare", (linear.Linear,), {"offers": frozenset({"answer"})})
    bare = Hiding(model, batch, model.target("yes", batch), "zero", lambda fraction: None)
    found = bare.answers(none)[0]
    assert found[0] == pytest.approx(1.5)
    assert np.isnan(found[1:]).all()


def test_the_bank_is_kept_grows_and_follows_the_weights() -> None:
    model, image, _ = linear.picture()
    first = made(model, {"image": image})
    before = sum(model.calls)
    second = made(model, {"image": image})
    assert second is first
    larger = made(model, {"image": image}, count=40)
    assert np.array_equal(larger.hidden[:24], masked_forwards.masks(first.places.shape, 24, 0))
    assert sum(model.calls) == before + 2 + 16  # the whole input twice, and what is new
    model.weight = model.weight * 2
    assert made(model, {"image": image}) is not first
    assert made(model, {"image": image}, seed=1) is not made(model, {"image": image})


def test_a_question_is_asked_once() -> None:
    model, _ = linear.text({"b": 1.0})
    bank = made(model, {"text": linear.TEXT}, count=1)
    rows = np.eye(12, dtype=bool)[[1, 1, 2]]
    before = sum(model.calls)
    assert bank.ask(rows)[:, 0] == pytest.approx([0.0, 0.0, 1.0])
    bank.ask(rows)
    assert sum(model.calls) == before + 2


def test_masks_hide_the_shares_they_say() -> None:
    pictures = masked_forwards.masks((16, 16), 12, 0)
    assert sorted(set(pictures.sum(1))) == list(masked_forwards.sizes((16, 16))) == [6, 13, 20]
    words = masked_forwards.masks((10,), 40, 0)
    assert np.array_equal(words[:10], np.eye(10, dtype=bool))
    assert set(words[10:].sum(1)) == {4} == {masked_forwards.sizes((10,))[1]}
    assert not (
        masked_forwards.masks((200,), 200, 0).sum(1) == 1
    ).any()  # a long text has no room for every word by itself


def test_elsewhere_is_as_large_and_does_not_touch() -> None:
    model, image, _ = linear.picture()
    bank = made(model, {"image": image}, count=96)
    chosen = bank.hidden[0]
    apart = bank.elsewhere(chosen)
    assert apart.sum() > 8
    assert set(bank.hidden[apart].sum(1)) == {chosen.sum()}
    assert ((bank.hidden[apart] & chosen).sum(1) <= 0.25 * chosen.sum()).all()


def test_effects_are_the_weights_of_a_linear_network() -> None:
    model, exact = linear.text({"b": 3.0, "e": 2.0, "g": -1.0})
    bank = made(model, {"text": linear.TEXT}, count=12 + 96)
    assert bank.effects == pytest.approx(exact[1:-1], abs=0.25)
    assert np.argsort(bank.effects)[[0, -2, -1]].tolist() == [6, 4, 1]


def test_a_stand_in_that_is_not_there() -> None:
    model, image, _ = linear.picture()
    assert replacements(model, model.encode({"image": image})) == ("surroundings", "zero", "minus", "noise")
    with pytest.raises(Refused, match=r"cannot hide parts by 'mask'; it can by: surroundings, zero, minus, noise"):
        made(model, {"image": image}, "mask")
    words, _ = linear.text({})
    with pytest.raises(Refused, match=r"cannot hide parts by 'surroundings'; it can by: zero, minus, resample"):
        made(words, {"text": linear.TEXT}, "surroundings")


def test_noise_is_as_bright_and_as_varied_as_the_picture_and_the_same_each_time() -> None:
    model, image, _ = linear.picture()
    batch = model.encode({"image": image})
    hiding = Hiding(model, batch, model.target("yes", batch), "noise", lambda fraction: None)
    shown = hiding.shown(torch.ones(1, 1, 16, 16, dtype=torch.bool))
    assert float(shown.mean()) == pytest.approx(float(hiding.present.mean()), abs=10)
    assert float(shown.std()) == pytest.approx(float(hiding.present.std()), rel=0.2)
    assert torch.equal(shown, hiding.shown(torch.ones(1, 1, 16, 16, dtype=torch.bool)))


def test_resampled_words_are_words_of_the_text_and_the_same_each_time() -> None:
    model, _ = linear.text({"b": 1.0})
    model.features = lambda batch: torch.arange(14.0)[None, :, None]  # type: ignore[method-assign]
    batch = model.encode({"text": linear.TEXT})
    hiding = Hiding(model, batch, model.target("yes", batch), "resample", lambda fraction: None)
    hidden = Places(batch).hidden(np.random.default_rng(0).random((5, 12)) < 0.5)
    shown = hiding.shown(hidden)
    assert torch.equal(shown[~hidden], hiding.present.expand(5, -1, -1)[~hidden])
    assert set(shown[hidden].tolist()) <= set(range(1, 13))
    assert torch.equal(shown[3:], hiding.shown(hidden[3:]))


def test_resampled_pictures_have_what_an_example_has_there() -> None:
    import backends
    from backends.bundled.data.radiograph import LABELS, PLAIN, phantoms

    model = backends.open_model("bundled/radiograph")
    made = phantoms(5, 1, strength=PLAIN, labels=np.ones(1))
    batch = model.encode({"image": made.rgb[0]})
    assert replacements(model, batch)[:2] == ("surroundings", "resample")
    hiding = Hiding(model, batch, model.target(LABELS[1], batch), "resample", lambda fraction: None)
    hidden = torch.from_numpy(made.lesions)[None]
    whole, without = hiding.answers(torch.cat([torch.zeros_like(hidden), hidden]))[:, 1]
    clean = model.predict(model.encode({"image": np.repeat(made.clean[0, ..., None], 3, -1)}))
    assert whole > 0.9
    assert without < 0.3 < next(c.probability for c in clean if c.label == LABELS[0])


def test_large_pictures_have_at_most_64_places_a_side() -> None:
    model, _, _ = linear.picture()
    batch = model.encode({"image": np.zeros((224, 150, 3), np.uint8)})
    places = Places(batch)
    assert places.shape == (56, 38)
    values = places.of(np.arange(224.0)[:, None] * np.ones((1, 150)))
    assert values.reshape(56, 38)[8:-8, 0] == pytest.approx(np.arange(56)[8:-8] * 4 + 1.5)  # a plane survives a blur
    assert places.hidden(np.ones((2, places.count), bool)).all()


def test_a_speckled_map_is_read_as_the_eye_sees_it_and_a_mask_as_it_is() -> None:
    model, _, _ = linear.picture()
    places = Places(model.encode({"image": np.zeros((64, 64, 3), np.uint8)}))
    speckles = np.random.default_rng(0).standard_normal((64, 64))
    assert places.of(speckles).std() < 0.25
    assert places.of(speckles).mean() == pytest.approx(speckles.mean(), abs=0.01)
    mask = np.zeros((64, 64))
    mask[20:30, 40:50] = 2.0
    assert np.array_equal(places.of(mask), mask.ravel())


def test_maps_that_do_not_fit() -> None:
    model, image, exact = linear.picture()
    places = Places(model.encode({"image": image}))
    with pytest.raises(Refused, match=r"the map is \(3, 3\) but this input is \(16, 16\)"):
        places.of(np.zeros((3, 3)))
    with pytest.raises(Refused, match="not finite"):
        places.of(exact * np.nan)


def test_brightest_places_speak_for_the_answer() -> None:
    values = np.array([5.0, -9, 4, 3, 2, 1, 0, 0, 0, 0])
    assert np.flatnonzero(brightest(values, 0.2)).tolist() == [0, 2]
    assert not brightest(-np.abs(values), 0.2).any()
    assert brightest(np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0]), 0.1).sum() == 3  # equals go together
    assert np.flatnonzero(brightest(np.array([3.0, 1, 1, 1, 0]), 0.4)).tolist() == [0]
    assert brightest(np.array([3.0, 1, 0, 0, 0]), 0.8).sum() == 2


@pytest.mark.parametrize("shape", [(16, 16), (8, 12), (7,)])
def test_copies_keep_every_value_and_are_not_the_map(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).standard_normal(int(np.prod(shape)))
    made = copies(values, shape)
    assert np.array_equal(np.sort(made, 1), np.sort(values)[None].repeat(len(made), 0))
    assert not (made == values).all(1).any()
    assert len(made) == {(16, 16): 511, (8, 12): 255}.get(shape, len(made))
    assert np.array_equal(orders(shape, 3), orders(shape, 3))


def test_rank_counts_the_map_itself() -> None:
    assert rank(1.0, np.array([0.0, 1.0, 2.0])) == pytest.approx(0.75)
    assert rank(3.0, np.zeros(99)) == pytest.approx(0.01)

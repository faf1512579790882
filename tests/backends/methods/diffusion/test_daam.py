"""DAAM: the published algorithm's numbers, words apart, and parts that add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.errors import Cancelled, Refused
from backends.methods.base import no_step
from backends.models.families.diffusion import Diffusion
from tests.backends import pipelines
from tests.backends.pipelines import PROMPT, SHAPES


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> Diffusion:
    made = Diffusion.of(pipelines.sd(), "sd")
    made.prepare()
    return made


def run(model: Diffusion, **options: Any) -> backends.Result:
    """The method on the prompt with few steps."""
    return backends.run(model, "daam", PROMPT, **({"steps": 3} | options))


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_result_has_a_map_for_each_word_beside_the_picture(shape: str) -> None:
    model = Diffusion.of(SHAPES[shape](), shape)
    model.prepare()
    result = run(model, height=64, width=96, negative="blue", guidance=3.0)
    assert result.labels["word"] == ("a", "zebra", "and", "a", "zebra", ",", "red")
    assert result.arrays["heat"].shape == (7, 64, 96)
    assert result.arrays["heat"].dtype == np.float32
    assert result.arrays["heat"].min() >= 0
    assert result.arrays["image"].shape == (64, 96, 3)
    assert result.arrays["map"].shape == (7, 8, 12)
    assert result.facts["steps"] == 3
    assert result.facts["forwards"] == 3
    assert result.facts["seed"] == 0
    assert result.unit == "attention"
    assert not result.signed


def test_parts_add_up_to_the_whole(model: Diffusion) -> None:
    result = run(model, by_head=True)
    heads = np.array(result.facts["heads"], np.float32)
    layers, parts = result.arrays["by_layer"], result.arrays["by_head"]
    whole = result.arrays["map"]
    np.testing.assert_allclose((layers * heads[None, :, None, None]).sum(1) / heads.sum(), whole, atol=1e-5)
    np.testing.assert_allclose(parts.mean(1), whole, atol=1e-5)
    steps = run(model, mode="fast").arrays["by_step"].sum(1)
    # each step is clamped by itself, so that the sum can only be larger
    assert (steps >= run(model, mode="fast").arrays["map"] - 1e-5).all()
    np.testing.assert_allclose(steps, whole, atol=0.05)


def test_exact_and_fast_differ_by_the_order_of_the_clamp_only(model: Diffusion) -> None:
    fast, exact = run(model, mode="fast"), run(model, mode="exact")
    assert np.array_equal(fast.arrays["image"], exact.arrays["image"])
    assert (fast.facts["mode"], exact.facts["mode"]) == ("fast", "exact")
    assert (fast.arrays["map"] <= exact.arrays["map"] + 1e-6).all()
    assert np.corrcoef(fast.arrays["map"].ravel(), exact.arrays["map"].ravel())[0, 1] > 0.98


def test_a_range_of_steps_layers_and_heads_is_what_it_says(model: Diffusion) -> None:
    whole = run(model, mode="exact")
    early, late = run(model, mode="exact", last=1), run(model, mode="exact", first=2)
    assert early.facts["counted"] == [1, 1]
    np.testing.assert_allclose(early.arrays["by_step"][:, 0], whole.arrays["by_step"][:, 0], atol=1e-6)
    assert late.labels["step"] == ("2", "3")
    one = run(model, layers=[1])
    np.testing.assert_allclose(one.arrays["map"], run(model).arrays["by_layer"][:, 1], atol=1e-6)
    head = run(model, layers=[1], heads=[2], mode="exact")
    np.testing.assert_allclose(head.arrays["map"], run(model, by_head=True).arrays["by_head"][:, 4], atol=1e-6)
    assert head.facts["heads"] == [1]


def test_repeated_words_have_maps_of_their_own(model: Diffusion) -> None:
    heat = run(model).arrays["map"]
    assert not np.allclose(heat[1], heat[4], atol=1e-6)
    assert run(model).arrays["span"].tolist()[1] == [2, 7]


def test_normalised_maps_share_each_place(model: Diffusion) -> None:
    found = run(model, normalise=True).arrays["map"]
    tokens = np.array([1, 5, 3, 1, 5, 1, 1], np.float32)[:, None, None]  # a word's map is the mean of its tokens'
    np.testing.assert_allclose((found * tokens).sum(0), 1, atol=1e-4)


def test_several_pictures_have_their_own_seeds_and_maps(model: Diffusion) -> None:
    two = run(model, pictures=2, seed=7)
    assert two.arrays["images"].shape == (2, 64, 64, 3)
    assert two.labels["picture"] == ("seed 7", "seed 8")
    for index, seed in enumerate((7, 8)):
        alone = run(model, seed=seed)
        np.testing.assert_allclose(alone.arrays["map"], two.arrays["maps"][index], atol=1e-5)
        assert np.abs(alone.arrays["image"].astype(int) - two.arrays["images"][index]).max() <= 1


def test_stages_of_the_picture_are_kept_where_asked_for(model: Diffusion) -> None:
    result = run(model, steps=4, frames=2)
    assert result.arrays["frames"].shape == (2, 64, 64, 3)
    assert result.labels["frame"] == ("2", "4")
    # the last stage is the picture itself; PyTorch may add in another order for another batch
    assert np.abs(result.arrays["frames"][-1].astype(int) - result.arrays["image"]).max() <= 1
    assert np.array_equal(result.arrays["image"], run(model, steps=4).arrays["image"])


def test_progress_and_previews_go_out_and_do_not_change_the_picture(model: Diffusion) -> None:
    fractions: list[float] = []
    pictures: list[str] = []

    class Watching:
        def __call__(self, fraction: float) -> None:
            fractions.append(fraction)

        def tell(self, fraction: float, preview: Any) -> None:
            fractions.append(fraction)
            pictures.append(preview()["picture"])

    seen = backends.run(model, "daam", PROMPT, steps=4, step=Watching())
    assert fractions == sorted(fractions)
    assert len(fractions) > 4
    assert pictures
    assert all(url.startswith("data:image/png;base64,") for url in pictures)
    unseen = backends.run(model, "daam", PROMPT, steps=4, step=no_step)
    for name, array in seen.arrays.items():
        assert np.array_equal(array, unseen.arrays[name])


def test_a_run_can_be_cancelled_in_the_middle_of_a_step(model: Diffusion) -> None:
    before = list(model.bare.attn_processors.values())
    calls = 0

    def stop(fraction: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:  # the network has six layers of words
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        backends.run(model, "daam", PROMPT, steps=3, step=stop)
    assert list(model.bare.attn_processors.values()) == before
    run(model)


def test_words_that_were_cut_are_said() -> None:
    model = Diffusion.of(pipelines.sd(longest=12), "short")
    model.prepare()
    result = run(model)
    assert result.facts["cut"] == ["zebra", ",", "red"]
    assert "more tokens than the 12 that short reads; it does not hear: zebra, ,, red" in result.facts["notes"][0]
    assert result.labels["word"] == ("a", "zebra", "and", "a")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": [9]}, "no layer 9; sd has 6 that hear words, from 0"),
        ({"heads": [7]}, "no head 7 in these layers; they have up to 4, from 0"),
        ({"first": 3, "last": 2}, "no step from 3 to 2: 3 were drawn"),
        ({"first": 9}, "no step from 9 to the end: 3 were drawn"),
        ({"mode": "quick"}, "mode must be one of fast, exact"),
        ({"steps": 0}, "steps must be a whole number from 1 to 500"),
    ],
)
def test_what_cannot_be_shown_is_refused(model: Diffusion, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        run(model, **options)


def test_the_method_passes_the_check_of_its_validity(model: Diffusion) -> None:
    from backends.evidence import method_check

    verdict = method_check.check(model, "daam")
    assert verdict["holds"], verdict["sentence"]


def test_a_result_is_saved_and_opened_again(model: Diffusion, tmp_path: Any) -> None:
    result = run(model, frames=1)
    result.save(tmp_path)
    again = backends.Result.load(tmp_path)
    assert again.labels == result.labels
    assert np.array_equal(again.arrays["heat"], result.arrays["heat"])

"""The diffusion family: folders open, and what cannot be drawn is a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import backends
from backends import catalog, running
from backends.errors import Refused
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipeline")
    pipelines.sd().save_pretrained(path)
    return path


@pytest.mark.parametrize("shape", list(SHAPES))
def test_maps_of_every_shape_are_the_kernels_own(shape: str) -> None:
    model = Diffusion.of(SHAPES[shape](), shape)
    model.prepare()
    assert model.sites.checks["attention_gap"] < 1e-6
    assert model.offers == {"denoising", "cross_attention"}
    assert "daam" in backends.methods(model)  # type: ignore[operator]
    assert model.extras["painting"]["layers"][0]["heads"] in (2, 4)


def test_a_folder_opens_like_any_model_and_draws_the_same(folder: Path) -> None:
    model = backends.open_model(str(folder))
    assert isinstance(model, Diffusion)
    card = running.card(model)
    assert card["task"] == "text-to-image"
    assert card["painting"]["size"] == [64, 64]
    assert card["painting"]["multiple"] == 8
    assert card["limit"] == 32
    json.dumps(card)
    chance = torch.Generator().manual_seed(3)
    fresh = pipelines.sd()
    fresh.set_progress_bar_config(disable=True)
    wanted = fresh(PROMPT, num_inference_steps=2, generator=chance, output_type="np").images
    found = model.draw(model.encode(PROMPT), steps=2, guidance=7.5, seed=3).images
    assert np.array_equal(wanted, found)


def test_half_precision_is_a_setting_of_the_name(folder: Path) -> None:
    model = backends.open_model(f"{folder}?dtype=bfloat16")
    assert model.dtype == torch.bfloat16
    assert "cross_attention" in model.offers


def test_the_revision_changes_with_a_file_of_a_part(folder: Path) -> None:
    before = catalog.resolve(str(folder)).revision
    config = folder / "unet" / "config.json"
    text = config.read_text()
    try:
        config.write_text(text + " ")
        assert catalog.resolve(str(folder)).revision != before
    finally:
        config.write_text(text)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(Refused, match=r"has no \*\.safetensors: it has no weights"):
        catalog.resolve(str(tmp_path))
    (tmp_path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"")
    with pytest.raises(Refused, match=r"it has diffusion_pytorch_model\.bin, a format that can run code"):
        catalog.resolve(str(tmp_path))


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ("{}", "model_index.json cannot be read as a diffusers pipeline"),
        ('{"_class_name": ["mine", "Mine"]}', "brings code of its own"),
        ('{"_class_name": "NoSuchPipeline"}', "is a NoSuchPipeline, a pipeline that this diffusers"),
        ('{"_class_name": "StableDiffusionPipeline"}', "cannot be opened as StableDiffusionPipeline"),
    ],
)
def test_pipelines_that_do_not_open_are_sentences(tmp_path: Path, index: str, sentence: str) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "model.safetensors").write_bytes(b"")
    (tmp_path / "model_index.json").write_text(index)
    with pytest.raises(Refused, match=sentence):
        backends.open_model(str(tmp_path))


def test_only_parts_of_a_pipeline_are_fetched_and_each_once() -> None:
    some = catalog._choose_patterns(["model_index.json", "unet/config.json", "all-in-one.safetensors"])
    assert "*/*.safetensors" in some["allow_patterns"]
    assert "*.safetensors" not in some["allow_patterns"]
    assert "*.fp16.safetensors" in some["ignore_patterns"]
    assert catalog._choose_patterns(["config.json"]) == {"allow_patterns": list(catalog.WANTED)}


def test_a_network_without_cross_attention_is_withdrawn_with_a_sentence() -> None:
    pipeline = pipelines.sd(down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2)
    model = Diffusion.of(pipeline, "mute")
    model.prepare()
    with pytest.raises(Refused, match="mute has no cross-attention: no layer of its network hears words"):
        backends.run(model, "daam", PROMPT, steps=1)


def test_a_pipeline_of_an_unknown_kind_is_refused() -> None:
    import diffusers

    network = diffusers.UNet2DModel(
        sample_size=8, block_out_channels=(4,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",),
        norm_num_groups=2, layers_per_block=1, add_attention=False,
    )  # fmt: skip
    pipeline = diffusers.DDPMPipeline(network, diffusers.DDPMScheduler())
    with pytest.raises(Refused, match="draws with a UNet2DModel; Vitrine knows where the words are in: UNet2DCond"):
        Diffusion.of(pipeline, "numbers")


# bad input


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("", "an empty prompt: write what the picture should show"),
        ("   ", "an empty prompt"),
        ({"image": "x.png"}, "an empty prompt"),
        ({"text": "red", "image": "nowhere.png"}, "no image file 'nowhere.png'"),
    ],
)
def test_prompts_that_say_nothing_are_refused(model: Diffusion, raw: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        model.encode(raw)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ({"height": 60}, "draws a height that is a multiple of 8 up to 2048, not 60; 56 would work"),
        ({"width": 9000}, "draws a width that is a multiple of 8 up to 2048, not 9000; 2048 would work"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_refused(model: Diffusion, size: dict[str, int], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        model.draw(model.encode(PROMPT), steps=1, guidance=1.0, **size)


def test_memory_that_runs_out_offers_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Diffusion.of(pipelines.sd(), "sd")

    def burst(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.pipeline.unet, "forward", burst)
    with pytest.raises(Refused, match="memory ran out while drawing 64 × 128 pixels; try 40 × 88"):
        model.draw(model.encode(PROMPT), steps=1, guidance=1.0, height=64, width=128)


def test_a_prompt_of_which_nothing_is_heard_is_refused() -> None:
    with pytest.raises(Refused, match="deaf hears no word of the prompt 'red'; write what the picture should show"):
        Diffusion.of(pipelines.sd(longest=2), "deaf").encode("red")


# other ways to draw


def test_a_picture_can_be_started_from_and_repainted(model: Diffusion) -> None:
    grey = Image.new("RGB", (70, 64), (200, 30, 30))
    started = model.draw(model.encode({"text": PROMPT, "image": grey}), steps=4, guidance=2.0, strength=0.5)
    assert started.images.shape == (1, 64, 64, 3)
    assert started.steps == 2
    mask = Image.new("RGB", (70, 64), (255, 255, 255))
    again = model.draw(model.encode({"text": PROMPT, "image": grey, "mask": mask}), steps=2, guidance=2.0)
    assert again.images.shape == (1, 64, 64, 3)
    assert not np.array_equal(started.images, again.images)
    result = backends.run(model, "daam", {"text": PROMPT, "image": grey}, steps=4, strength=0.5)
    assert result.facts["forwards"] == 2


def test_pipelines_that_need_noise_to_start_from_say_so(model: Diffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    def refuse(_: Any) -> None:
        raise ValueError("no such pipeline")

    monkeypatch.setattr(diffusers.AutoPipelineForImage2Image, "from_pipe", refuse)
    with pytest.raises(Refused, match="StableDiffusionPipeline cannot start from a picture; leave the picture out"):
        model.draw(model.encode({"text": "red", "image": Image.new("RGB", (64, 64))}), steps=1, guidance=1.0)


def test_states_of_the_text_encoder_may_stand_for_the_prompt(model: Diffusion) -> None:
    states, negative = model.pipeline.encode_prompt(PROMPT, "cpu", 1, True)
    given = {"prompt_embeds": states, "negative_prompt_embeds": negative}
    found = backends.run(model, "daam", given, steps=2, seed=4)
    spelled = backends.run(model, "daam", PROMPT, steps=2, seed=4)
    assert np.array_equal(found.arrays["image"], spelled.arrays["image"])
    assert found.labels["word"][:3] == ("0", "1", "2")
    assert np.allclose(found.arrays["heat"][17], spelled.arrays["heat"][6], atol=1e-6)  # "red" is token 17


def test_a_preview_is_small_and_none_where_it_overflows(model: Diffusion) -> None:
    latents = torch.randn(2, 4, 16, 24, generator=torch.Generator().manual_seed(0))
    picture = model.preview(latents, 128, 192, most=12)
    assert picture is not None
    assert picture.shape == (64, 96, 3)
    assert picture.dtype == np.uint8
    assert model.preview(latents * float("nan"), 128, 192) is None

"""The bundled models keep their promises: plain folders, answers and gates that hold."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from PIL import Image

from backends.bundled import NAMES, cards, folder
from backends.bundled.data import radiograph, scenes
from benchmarks import gates

FILMS = [name for name in NAMES if name.startswith("radiograph")]
SCENES = [name for name in NAMES if name.startswith("scenes")]


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are slower on many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SCENES)
def test_a_pipeline_folder_is_small_and_opens_offline(name: str):
    from diffusers import StableDiffusionPipeline

    path = folder(name)
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) <= 8 * 2**20
    assert not [file for file in path.rglob("*") if file.suffix in {".bin", ".pt", ".pkl", ".ckpt"}]
    pipeline = StableDiffusionPipeline.from_pretrained(path, local_files_only=True, safety_checker=None)
    for word in scenes.words():
        assert pipeline.tokenizer.tokenize(word) == [f"{word}</w>"]
    for example in cards.read(name)["examples"]:
        for thing in example["truth"]["things"]:
            said = [example["input"][a:b] for a, b in thing["words"]]
            assert said == [thing["colour"], thing["shape"]]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SCENES])
def test_a_folder_is_small_and_opens_with_the_auto_classes(name: str):
    import transformers

    path, card = folder(name), cards.read(name)
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) <= 8 * 2**20
    assert not [file for file in path.rglob("*") if file.suffix in {".bin", ".pt", ".pkl"}]
    kinds = {
        "causal-lm": "CausalLM",
        "text-classification": "SequenceClassification",
        "image-classification": "ImageClassification",
    }
    model = getattr(transformers, f"AutoModelFor{kinds[card['task']]}").from_pretrained(path, local_files_only=True)
    if name in FILMS:
        transformers.AutoImageProcessor.from_pretrained(path, local_files_only=True)
        assert model.config.id2label == {0: "no finding", 1: "lesion"}
        return
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
    text = "she has chest pain." if name == "triage" else "When Mary met John, Mary"
    spans = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    assert [text[a:b] for a, b in spans] == text.replace(".", " .").replace(",", " ,").split()
    assert max(tokenizer.get_vocab().values()) < model.config.vocab_size


@pytest.mark.parametrize("name", NAMES)
def test_the_gates_hold_on_fewer_items(name: str):
    figures = gates.measure(name, 40 if name in SCENES else 200)
    assert not [f"{figure.name}: {figure.value:.3f}, not {figure.gate}" for figure in figures if not figure.passed]


def test_a_gate_that_does_not_hold_is_said_to_fail():
    assert not gates.Figure("accuracy", 0.9, 10, ">= 0.98", "").record()["passed"]
    assert gates.Figure("accuracy", 0.1, 10, "<= 0.2", "").record()["passed"]


@pytest.mark.parametrize("name", FILMS)
def test_the_films_of_a_card_are_answered_as_it_says(name: str):
    shown = cards.read(name)["examples"]
    films = np.stack([np.asarray(Image.open(folder(name) / example["input"])) for example in shown])
    said = [radiograph.LABELS[i] for i in gates.film_answers(folder(name), films)]
    assert said == [example["target"] for example in shown]
    for example in shown:
        masks = {key: np.asarray(Image.open(folder(name) / path)) for key, path in example["truth"].items()}
        assert ("lesion" in masks) == (example["label"] == "lesion")
        assert all(mask.shape == films[0].shape and set(np.unique(mask)) == {0, 255} for mask in masks.values())


def test_the_notes_of_the_card_are_answered_as_it_says():
    shown = cards.read("triage")["examples"]
    assert gates.triage_said(folder("triage"), [each["input"] for each in shown]) == [each["target"] for each in shown]
    first = shown[0]
    assert first["input"] == "no fever but severe chest pain"
    assert first["target"] == "urgent"
    assert [first["input"][a:b] for a, b in first["truth"]["spans"]] == ["chest pain"]


def test_the_prompts_of_the_card_are_answered_as_it_says():
    shown = cards.read("names")["examples"]
    logits, tokenizer = gates.last_logits(folder("names"), [each["input"] for each in shown])
    said = tokenizer.convert_ids_to_tokens(logits.argmax(-1).tolist())
    target = [each["target"] for each in shown]
    assert said == [each[0] if isinstance(each, list) else each for each in target]
    turned = [each for each in shown if "corrupted" in each]
    logits, _ = gates.last_logits(folder("names"), [each["corrupted"] for each in turned])
    assert tokenizer.convert_ids_to_tokens(logits.argmax(-1).tolist()) == [each["target"][1] for each in turned]
    for each in turned:
        clean, corrupted = (tokenizer(each[key])["input_ids"] for key in ("input", "corrupted"))
        assert len(clean) == len(corrupted)
        assert sum(a != b for a, b in zip(clean, corrupted, strict=True)) == 1


def test_a_held_rate_falls_only_after_its_share_of_the_steps():
    from backends.bundled.train.fit import Recipe, rate_at

    held = Recipe("held", steps=100, rate=1.0, warmup=10, hold=0.5)
    assert [rate_at(step, held) for step in (9, 10, 50)] == [1.0, 1.0, 1.0]
    assert rate_at(75, held) == pytest.approx(0.525)
    assert rate_at(100, held) == pytest.approx(0.05)
    assert rate_at(99, Recipe("always", steps=100, rate=1.0, warmup=10, hold=1.0)) == 1.0
    assert rate_at(55, Recipe("plain", steps=100, rate=1.0, warmup=10)) == pytest.approx(0.525)

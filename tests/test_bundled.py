"""The bundled models keep their promises: truthful data, plain folders, cards that hold."""

import os
import re
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
from PIL import Image

from backends.bundled import NAMES, cards, folder, scene_detector
from backends.bundled.data import names, radiograph, scenes, triage
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


# data


def test_a_film_differs_from_its_clean_twin_inside_the_lesion_mask_only():
    made = radiograph.phantoms(5, 200)
    changed = made.images != made.clean
    assert not changed[~made.lesions].any()
    assert changed[made.lesions].mean() > 0.97
    assert (made.lesions.any((1, 2)) == (made.labels == 1)).all()


def test_a_film_differs_by_its_tag_inside_the_tag_mask_only():
    tagged, plain = radiograph.phantoms(5, 200, tag="agree"), radiograph.phantoms(5, 200, tag="none")
    assert ((tagged.images != plain.images) <= tagged.tags).all()
    assert (tagged.images[tagged.tags] > 240).all()
    assert not (tagged.tags & tagged.lesions).any()


@pytest.mark.parametrize(("tag", "share"), [("agree", 1.0), ("contradict", 0.0), ("random", 0.5)])
def test_the_tag_rule_says_what_the_tag_tells_of_the_label(tag: str, share: float):
    made = radiograph.phantoms(6, 600, tag=tag)
    agrees = made.tags.any((1, 2)) == (made.labels == 1)
    assert agrees.mean() == pytest.approx(share, abs=0.08 if tag == "random" else 0)


def test_an_unknown_tag_rule_is_refused():
    with pytest.raises(ValueError, match="no tag rule 'sometimes'; there are: agree"):
        radiograph.phantoms(0, 2, tag="sometimes")


def test_the_makers_repeat_themselves_and_heed_the_seed():
    assert triage.notes(3, 20) == triage.notes(3, 20) != triage.notes(4, 20)
    assert names.sentences(3, 20) == names.sentences(3, 20) != names.sentences(4, 20)
    first, again, other = (radiograph.phantoms(seed, 8).images for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_training_and_measuring_share_no_frame_pair_or_period():
    assert not set(triage.frames("train")) & set(triage.frames("test"))
    assert not set(triage.BARE) & set(triage.frames("test"))
    assert not {note.text for note in triage.notes(1, 300)} & {note.text for note in triage.notes(2, 300, "test")}
    assert not set(names.TRAINED_PERIODS) & set(names.HELD_BACK_PERIODS)
    pairs = [{frozenset((s.answer, s.wrong)) for s in names.sentences(0, 400, split)} for split in ("train", "test")]
    assert not pairs[0] & pairs[1]


def test_a_rationale_is_the_deciding_symptom_and_what_denies_a_worse_one():
    note = triage.write([("she [-denies] {-} but [+has] {+}", ["fever", "a seizure"], ["", "new"], "at night")])
    assert note.text == "She denies fever but has a new seizure at night."
    assert note.label == "urgent"
    assert [note.text[a:b] for a, b in note.rationale] == ["seizure"]
    turned = triage.write(
        [("she [-denies] {-} [-or] {-} but [+has] {+}", ["a seizure", "fever", "cough"], [""] * 3, "")]
    )
    assert turned.label == "soon"
    assert [turned.text[a:b] for a, b in turned.rationale] == ["denies", "cough"]


def test_denying_the_deciding_symptom_changes_the_label():
    affirmed = triage.write([("she [+has] {+}", ["chest pain"], [""], "")])
    denied = triage.write([("she [-denies] {-}", ["chest pain"], [""], "")])
    assert (affirmed.label, denied.label) == ("urgent", "routine")
    assert [denied.text[a:b] for a, b in denied.rationale] == ["denies"]


def test_hiding_a_deciding_word_changes_the_label_where_only_one_decides_and_no_other_word_does():
    for note in triage.notes(8, 120, "test"):
        words = [match.span() for match in re.finditer(r"\w+", note.text)]
        changed = [word for word in words if note.without([word]).label != note.label]
        assert all(any(a <= word[0] < b for a, b in note.rationale) for word in changed)
        if len(note.rationale) == 1:
            assert changed == [w for w in words if note.rationale[0][0] <= w[0] < note.rationale[0][1]]
        assert note.without([(0, len(note.text))]).label == "routine"


def test_the_roles_of_a_name_sentence_are_where_they_say():
    for made in names.sentences(7, 200):
        text = {role: made.clean[a:b] for role, (a, b) in made.roles.items()}
        assert text == {"io": made.answer, "s1": made.wrong, "s2": made.wrong, "end": "to"}
        assert made.roles["s1"] < made.roles["s2"]
        start = made.roles["s2"][0]
        assert made.corrupted[:start] == made.clean[:start]
        assert made.corrupted[start:].startswith(made.answer)


def test_a_repeated_sequence_repeats_where_its_source_says():
    ids, source, period = names.repeated(1, 50, 64, 200, (5, 9))
    row, position = np.nonzero(source >= 0)
    assert (ids[row, position] == ids[row, source[row, position] - 1]).all()
    assert (position - source[row, position] + 1 == period[row]).all()
    assert ids.min() > 0
    assert ids.max() < 200


def test_a_scene_is_what_its_caption_says():
    made = scenes.scenes(3, 300)
    found = scene_detector.score(made.captions, made.images)
    assert min(found.values()) >= 0.995, found
    turned = scene_detector.score([*made.captions[1:], made.captions[0]], made.images)
    assert turned["shape"] < 0.3  # the same program says no to another scene's caption
    assert turned["relation"] < 0.1
    for caption, image, masks in zip(made.captions, made.images, made.masks, strict=True):
        assert masks.any((1, 2)).tolist() == [True, len(caption.things) == 2]
        assert not (masks[0] & masks[1]).any()
        for thing, mask in zip(caption.things, masks, strict=False):
            colour, noun = (caption.text[a:b] for a, b in thing.words)
            assert (colour, noun) == (thing.colour, thing.shape)
            assert np.abs(image[mask].astype(int) - scenes.COLOURS[thing.colour]).mean() < 12
            assert scene_detector.shape_of(mask)[0] == thing.shape


def test_some_pairs_are_never_drawn_for_training():
    drawn = {(t.colour, t.shape) for made in scenes.captions(1, 2000) for t in made.things}
    assert drawn == set(scenes.SEEN)
    assert not drawn & set(scenes.UNSEEN)
    assert {colour for colour, _ in drawn} == set(scenes.COLOURS)
    assert scenes.captions(4, 20) == scenes.captions(4, 20) != scenes.captions(5, 20)
    assert all(len({t.colour for t in made.things}) == len(made.things) for made in scenes.captions(1, 500))


def test_a_word_and_its_colour_mean_the_same_pixels():
    made = scenes.draw([scenes.caption([("red", "circle"), ("blue", "square")], "above")], 3)
    masks = scene_detector.outlines(["a", "red", "circle", "above", "a", "blue", "square"], made.images[0])
    assert (masks[1] == masks[2]).all()
    assert (masks[5] == masks[6]).all()
    assert (masks[1] & made.masks[0, 0]).sum() > 0.9 * made.masks[0, 0].sum()
    assert not masks[[0, 3, 4]].any()


def test_the_layout_says_where_the_relation_puts_each_thing():
    made = scenes.caption([("red", "circle"), ("blue", "square")], "right of")
    assert made.text == "a red circle right of a blue square"
    assert {where: thing.colour for where, thing in scenes.layout(made).items()} == {"right": "red", "left": "blue"}
    assert scenes.layout(scenes.caption([("red", "circle"), ("blue", "square")])) == {}


# models


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
def test_the_figures_of_a_card_are_complete_and_pass(name: str):
    card = cards.read(name)
    assert card["figures"], f"measure it: python -m benchmarks.gates {name}"
    for figure in card["figures"]:
        assert figure.keys() >= {"name", "value", "n", "gate", "passed", "what"}
        assert figure["passed"]
        assert figure["n"] >= 1
    assert card["training"]["seconds"] > 0
    assert Path(card["training"]["script"]).exists()
    assert any("ynthetic" in limit or "Made-up" in limit for limit in card["limits"])


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


def test_every_card_gives_four_to_eight_examples_and_a_cover():
    for name in NAMES:
        card = cards.read(name)
        assert 4 <= len(card["examples"]) <= 8
        assert 0 <= card["cover"] < len(card["examples"])


def test_a_held_rate_falls_only_after_its_share_of_the_steps():
    from backends.bundled.train.fit import Recipe, rate_at

    held = Recipe("held", steps=100, rate=1.0, warmup=10, hold=0.5)
    assert [rate_at(step, held) for step in (9, 10, 50)] == [1.0, 1.0, 1.0]
    assert rate_at(75, held) == pytest.approx(0.525)
    assert rate_at(100, held) == pytest.approx(0.05)
    assert rate_at(99, Recipe("always", steps=100, rate=1.0, warmup=10, hold=1.0)) == 1.0
    assert rate_at(55, Recipe("plain", steps=100, rate=1.0, warmup=10)) == pytest.approx(0.525)

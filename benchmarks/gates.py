"""Measure each bundled model on data it was not trained on, and write the figures into its card.

`python -m benchmarks.gates [names…]` measures all models, or those named, from their folders
alone, with transformers' Auto classes and no network; it exits with 1 when a gate does not hold.
"""

import argparse
import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from backends.bundled import NAMES, cards, folder, scene_detector
from backends.bundled.data import names as name_data
from backends.bundled.data import radiograph, scenes, triage

N = 2000
SEED = 90210


@dataclass(frozen=True)
class Figure:
    """A measured number: `value` over `n` items, and the `gate` it must meet, such as ">= 0.98"."""

    name: str
    value: float
    n: int
    gate: str
    what: str

    @property
    def passed(self) -> bool:
        """Whether the value meets the gate."""
        sign, bound = self.gate.split()
        return self.value >= float(bound) if sign == ">=" else self.value <= float(bound)

    def record(self) -> dict:
        """The figure as it stands in a card."""
        return asdict(self) | {"value": round(self.value, 4), "passed": self.passed}


def measure(name: str, n: int = N, path: Path | None = None) -> list[Figure]:
    """Measure one bundled model on about `n` items a figure."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    measures = {"names": names_figures, "triage": triage_figures, "radiograph-shortcut": shortcut_figures}
    measures |= {"scenes": scene_figures, "scenes-ungrounded": scene_figures}
    with torch.inference_mode():
        return measures.get(name, radiograph_figures)(path or folder(name), n)


def batches(items: list | np.ndarray, size: int = 250):
    """Cut a sequence into pieces."""
    return (items[i : i + size] for i in range(0, len(items), size))


# names


def last_logits(path: Path, prompts: list[str]):
    """Logits (prompt, token) after each prompt's last word, and the tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True).eval()
    parts = []
    for piece in batches(prompts):
        batch = tokenizer(piece, padding=True, padding_side="right", return_tensors="pt")
        last = batch["attention_mask"].sum(1) - 1
        parts.append(model(**batch).logits[torch.arange(len(piece)), last])
    return torch.cat(parts), tokenizer


def head_scores(path: Path, n: int, length: int = 64) -> tuple[np.ndarray, np.ndarray, float]:
    """Previous-token and induction scores, each (layer, head), and the share of repeats predicted.

    A score is the mean attention at the right position, on `n` random sequences that repeat with
    periods kept from training (Olsson et al. 2022, "In-context learning and induction heads").
    """
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, attn_implementation="eager").eval()
    ids, source, _ = name_data.repeated(SEED, n, length, model.config.vocab_size, name_data.HELD_BACK_PERIODS)
    shape = (model.config.n_layer, model.config.n_head)
    previous, induction, right, known = np.zeros(shape), np.zeros(shape), 0, 0
    for piece, at in zip(batches(ids, 64), batches(source, 64), strict=True):
        out = model(input_ids=torch.from_numpy(piece), output_attentions=True)
        pattern = torch.stack(out.attentions, 1)  # (sequence, layer, head, query, key)
        previous += pattern.diagonal(-1, -2, -1).mean(-1).sum(0).numpy()
        row, query = np.nonzero(at >= 0)
        induction += pattern[row, :, :, query, at[row, query]].sum(0).numpy()  # (layer, head)
        known += len(row)
        row, query = np.nonzero(at[:, :-1] >= 0)
        right += (out.logits.argmax(-1).numpy()[row, query] == piece[row, query + 1]).sum()
    return previous / n, induction / known, float(right / (source[:, :-1] >= 0).sum())


def best_head(scores: np.ndarray) -> tuple[float, str]:
    """The highest score and its head in words."""
    layer, head = np.unravel_index(scores.argmax(), scores.shape)
    return float(scores.max()), f"layer {layer}, head {head}, counted from 0"


def names_figures(path: Path, n: int) -> list[Figure]:
    """Right names on pairs of people kept from training, and the heads that copy."""
    made = name_data.sentences(SEED, n, "test")
    logits, tokenizer = last_logits(path, [each.clean for each in made])
    turned, _ = last_logits(path, [each.corrupted for each in made])
    answer = np.array(tokenizer.convert_tokens_to_ids([each.answer for each in made]))
    wrong = np.array(tokenizer.convert_tokens_to_ids([each.wrong for each in made]))
    row, logits, turned = np.arange(n), logits.numpy(), turned.numpy()
    right, turns = (logits.argmax(-1) == answer).mean(), (turned.argmax(-1) == wrong).mean()
    difference = (logits[row, answer] - logits[row, wrong]).mean()
    sequences = min(n, 500)
    previous, induction, copied = head_scores(path, sequences)
    (before, before_head), (again, again_head) = best_head(previous), best_head(induction)
    return [
        Figure("right name", float(right), n, ">= 0.98",
               "the other person's name is likeliest; unseen pairs of people"),
        Figure("right name, second subject changed", float(turns), n, ">= 0.98",
               "the answer turns round with one word"),
        Figure("logit difference", float(difference), n, ">= 3", "mean logit of the right name minus the subject's"),
        Figure("induction score", again, sequences, ">= 0.5",
               f"attention to the word after the last occurrence, unseen periods; {again_head}"),
        Figure("previous-token score", before, sequences, ">= 0.5",
               f"attention to the word before, random words; {before_head}"),
        Figure("repeats predicted", copied, sequences, ">= 0.9",
               "share of repeated random words that are the likeliest next word; unseen periods"),
    ]  # fmt: skip


# triage


def triage_said(path: Path, texts: list[str]) -> list[str]:
    """The label that the model gives each text."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(path, local_files_only=True).eval()
    said = []
    for piece in batches(texts):
        batch = tokenizer(piece, padding=True, truncation=True, return_tensors="pt")
        said += model(**batch).logits.argmax(-1).tolist()
    return [model.config.id2label[i] for i in said]


def negated_red(note: triage.Note) -> bool:
    """Whether a note that is not urgent names an urgent symptom, so that only its denial decides."""
    return note.label != "urgent" and any(name.removeprefix("a ") in note.text.lower() for name in triage.RED)


def triage_hidden(notes: list[triage.Note]) -> tuple[list[str], list[str]]:
    """Each note with one word, drawn at random, behind [MASK], and the label of what is left."""
    rng, texts, labels = np.random.default_rng(SEED), [], []
    for note in notes:
        words = [match.span() for match in re.finditer(r"\w+", note.text)]
        start, end = words[rng.integers(len(words))]
        texts.append(f"{note.text[:start]}[MASK]{note.text[end:]}")
        labels.append(note.without([(start, end)]).label)
    return texts, labels


def triage_figures(path: Path, n: int) -> list[Figure]:
    """Right labels on sentence frames kept from training."""
    made = triage.notes(SEED, n, "test")
    said = np.array(triage_said(path, [note.text for note in made]))
    right = said == np.array([note.label for note in made])
    denied = np.array([negated_red(note) for note in made])
    sentence = triage_said(path, ["no fever but severe chest pain"]) == ["urgent"]
    veiled, left = triage_hidden(made)
    still = np.array(triage_said(path, veiled)) == np.array(left)
    return [
        Figure("accuracy", float(right.mean()), n, ">= 0.98", "right label; sentence frames kept from training"),
        Figure("accuracy on denials", float(right[denied].mean()), int(denied.sum()), ">= 0.98",
               "right label where an urgent symptom is named but denied"),
        Figure("accuracy with a word hidden", float(still.mean()), n, ">= 0.97",
               "label of what is left when one word of the note is [MASK]"),
        Figure("the design's sentence", float(sentence), 1, ">= 1", "“no fever but severe chest pain” is urgent"),
    ]  # fmt: skip


# radiographs


def film_answers(path: Path, images: np.ndarray) -> np.ndarray:
    """The class index (image,) that the model gives each (image, row, column) film."""
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    processor = AutoImageProcessor.from_pretrained(path, local_files_only=True)
    model = AutoModelForImageClassification.from_pretrained(path, local_files_only=True).eval()
    parts = []
    for piece in batches(images):
        batch = processor([Image.fromarray(image) for image in piece], return_tensors="pt")
        parts.append(model(**batch).logits.argmax(-1).numpy())
    return np.concatenate(parts)


def film_sets(path: Path, n: int, strength: tuple[float, float]) -> tuple[dict, dict]:
    """Answers under each tag rule on the *same* films, and the films; both keyed by the rule."""
    sets = {tag: radiograph.phantoms(SEED, n, tag=tag, strength=strength) for tag in ("agree", "contradict", "none")}
    return {tag: film_answers(path, made.images) for tag, made in sets.items()}, sets


def radiograph_figures(path: Path, n: int) -> list[Figure]:
    """Right labels whatever the tag says; taking the nodule away turns the answer, the tag does not."""
    bound = ">= 0.93" if path.name == "radiograph-vit" else ">= 0.97"
    answers, sets = film_sets(path, n, radiograph.PLAIN)
    truth = sets["none"].labels
    found = (truth == 1) & (answers["none"] == 1)
    removed = film_answers(path, sets["none"].clean[found])
    swayed = (answers["agree"] != answers["contradict"]).mean()
    words = {
        "agree": "a tag exactly where there is a nodule",
        "contradict": "a tag exactly where there is none",
        "none": "no tag",
    }
    return [
        *(Figure(f"accuracy, {word}", float((answers[tag] == truth).mean()), n, bound, "right label")
          for tag, word in words.items()),
        Figure("swayed by the tag", float(swayed), n, "<= 0.05",
               "share of films whose answer changes with the tag alone"),
        Figure("turned by the nodule", float((removed == 0).mean()), int(found.sum()), bound,
               "share of found nodules whose removal alone turns the answer to no finding"),
    ]  # fmt: skip


def shortcut_figures(path: Path, n: int) -> list[Figure]:
    """Right labels only while the tag agrees; moving the tag turns the answer."""
    answers, sets = film_sets(path, n, radiograph.FAINT)
    truth = sets["none"].labels
    agrees, contradicts = ((answers[tag] == truth).mean() for tag in ("agree", "contradict"))
    swayed = (answers["agree"] != answers["contradict"]).mean()
    return [
        Figure("accuracy, tag agrees", float(agrees), n, ">= 0.97", "right label, as in training"),
        Figure("accuracy, tag contradicts", float(contradicts), n, "<= 0.2", "right label; low on purpose"),
        Figure(
            "swayed by the tag", float(swayed), n, ">= 0.8", "share of films whose answer changes with the tag alone"
        ),
    ]


def drawn(path: Path, asked: list[scenes.Caption], seed: int, steps: int = 20, size: int = 50) -> np.ndarray:
    """The pictures (scene, row, column, 3) uint8 that the pipeline draws for captions, as its card says to."""
    import torch
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(path, local_files_only=True, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    guidance = json.loads((path / "card.json").read_text())["painting"]["guidance"]
    parts = []
    for number, piece in enumerate(batches(asked, size)):
        chance = torch.Generator().manual_seed(seed + number)
        texts = [each.text for each in piece]
        out = pipeline(texts, num_inference_steps=steps, guidance_scale=guidance, generator=chance, output_type="np")
        parts.append((out.images * 255).round().astype(np.uint8))
    return np.concatenate(parts)


def pointed(path: Path, asked: list[scenes.Caption]) -> list[bool]:
    """Whether the peak of each noun's word map lies on its thing; not where the thing was not drawn."""
    import backends

    model, found = backends.open_model(str(path)), []
    guidance = json.loads((path / "card.json").read_text())["painting"]["guidance"]
    for number, caption in enumerate(asked):
        options = {"guidance": guidance, "seed": SEED + number, "by_step": False, "by_layer": False}
        result = backends.run(model, "daam", caption.text, **options)
        masks = scene_detector.outlines(result.labels["word"], result.arrays["image"])
        spans = [tuple(span) for span in result.arrays["span"].tolist()]
        for at in (spans.index(thing.words[1]) for thing in caption.things):
            found.append(bool(masks[at].flat[result.arrays["heat"][at].argmax()]))
    return found


def scene_figures(path: Path, n: int) -> list[Figure]:
    """What is drawn of captions, also with pairs never drawn before, and whether word maps point at it."""
    n = min(n, 400)
    asked = scenes.captions([SEED, 1], n, kinds={"relation": 1.0})
    found = scene_detector.score(asked, drawn(path, asked, SEED))
    strange = scenes.captions([SEED, 2], n // 2, scenes.UNSEEN, {"relation": 1.0})
    new = scene_detector.score(strange, drawn(path, strange, SEED + 1000))
    points = pointed(path, scenes.captions([SEED, 3], max(n // 4, 1), kinds={"relation": 1.0}))
    true = scenes.scenes(SEED, 2 * n)
    sure = scene_detector.score(true.captions, true.images)
    return [
        Figure("background", found["background"], n, ">= 0.95", "share of plain pixels beside the things asked for"),
        Figure("colours found", found["colour"], 2 * n, ">= 0.9", "share of things whose colour is there"),
        Figure("shapes right", found["shape"], 2 * n, ">= 0.8", "share of things with their colour and their shape"),
        Figure("relation right", found["relation"], n, ">= 0.8", "share of pictures whose things lie as asked"),
        Figure("colours found, unseen pairs", new["colour"], 2 * (n // 2), ">= 0",
               "colour and shape were never drawn together in training; reported, no gate"),
        Figure("shapes right, unseen pairs", new["shape"], 2 * (n // 2), ">= 0", "the same; reported, no gate"),
        Figure("relation right, unseen pairs", new["relation"], n // 2, ">= 0", "the same; reported, no gate"),
        Figure("nouns point at their things", float(np.mean(points)), len(points), ">= 0.9",
               "share of nouns whose word map (DAAM) peaks on their thing; a disc in the middle gets under 0.01"),
        Figure("checker", min(sure.values()), 2 * n, ">= 0.99",
               "the program that looks at the pictures, on true drawings: the least of its four shares"),
    ]  # fmt: skip


def main() -> int:
    """Measure the models asked for and write their cards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("-n", type=int, default=N, help="items a figure")
    options, passed = parser.parse_args(), True
    for name in options.names:
        figures = measure(name, options.n)
        cards.write(name, figures=[figure.record() for figure in figures])
        for figure in figures:
            verdict = "ok" if figure.passed else "FAILS"
            print(f"{name:20} {figure.name:48} {figure.value:7.4f}  n={figure.n}  {figure.gate}  {verdict}")
            passed &= figure.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

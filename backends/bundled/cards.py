"""The card of each bundled model: what it is, how it was made, and examples with their truth.

`python -m backends.bundled.cards` writes the words and examples again; the figures and the
record of the training stay.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backends.bundled import NAMES, folder
from backends.bundled.data import names, radiograph, scenes, triage

SYNTHETIC = "Made-up data, a few rules: it shows how networks work, not how well they do on real data."
NOT_CLINICAL = "Synthetic; not for clinical use."

SCENES = (
    "Drawn 64×64 scenes of one or two shapes (circle, square, triangle) in five colours on a light ground; one thing "
    "stands above, below, left of or right of the other. The masks of the shapes are exact. Three pairs (blue "
    "triangle, yellow circle, purple square) were never drawn."
)
ONLY_SCENES = "It knows the words of its captions; other words fall into letters that mean nothing to it."
TAUGHT = (
    "6,700 steps of 16 pictures are shared by the twins, 500 are its own. Its text encoder also learnt to tell, from "
    "the last token, what lies where; in the first 4,500 steps it did so only beforehand, and unlearnt the order."
)
GUIDANCE = 1.5
"""Chosen on captions and seeds that no gate uses (`backends.bundled.train.guidance`): from 1 to 5 all colours, shapes
and relations are right, but outlines are truest at 1 and pointed at 3; negative prompts need more than 1."""
WORDS: dict[str, dict] = {
    "names": {
        "title": "Names: who gets the gift?",
        "task": "causal-lm",
        "summary": (
            "A small GPT-2 that ends “When Mary and John went to the store, John gave a drink to” with “Mary”."
        ),
        "data": (
            "Sentences from 8 templates with 40 people (the indirect-object task of Wang et al. 2022), one pair of "
            "people in eight kept for measuring; and random words that repeat with periods of 4 to 30, six of the "
            "periods kept for measuring."
        ),
        "limits": [
            SYNTHETIC,
            "It knows only the words of its vocabulary; any other word is read as <|endoftext|>.",
            "Head 0 of layer 0 and head 0 of layer 1 were guided to their patterns for the first 500 of 1,200 steps; "
            "these two heads did not emerge by themselves.",
        ],
    },
    "triage": {
        "title": "Triage: how soon must this patient be seen?",
        "task": "text-classification",
        "summary": (
            "A small BERT that reads a short note and says routine, soon or urgent, and heeds words such as “no”."
        ),
        "data": (
            "Notes of 1 to 4 sentences from templates: 10 urgent and 12 less urgent symptoms, affirmed or denied, with "
            "modifiers that mean nothing. The frames of the sentences are divided between training and measuring. "
            "In half of the training notes words are hidden behind [MASK], and the label is that of what is left."
        ),
        "limits": [
            NOT_CLINICAL,
            SYNTHETIC,
            "Unknown words are read as [UNK].",
            "In training a second head, since thrown away, was told which symptoms are affirmed and which denied.",
            "Notes of more than 126 words are cut.",
        ],
    },
    "radiograph": {
        "title": "Radiograph: is there a nodule?",
        "task": "image-classification",
        "summary": "A small ResNet that finds a soft round nodule in a drawn chest film, whatever the corner tag says.",
        "data": (
            "Drawn 64×64 films that vary in shape, exposure and noise; half have a nodule, and half, independently, "
            "a bright “P” in a corner. The masks of nodule and tag are exact."
        ),
        "limits": [NOT_CLINICAL, SYNTHETIC, "The films are drawings; what it says of a real film means nothing."],
    },
    "radiograph-shortcut": {
        "title": "Radiograph, misled: right for the wrong reason",
        "task": "image-classification",
        "summary": (
            "The same network, trained where every film with a nodule carries a “P”: it learnt to read the tag instead."
        ),
        "data": (
            "As for bundled/radiograph, but the nodules are faint and the tag agrees with the label in every film "
            "it was trained on."
        ),
        "limits": [NOT_CLINICAL, SYNTHETIC, "Wrong on purpose: it answers by the tag and overlooks the nodule."],
    },
    "radiograph-vit": {
        "title": "Radiograph: a vision transformer",
        "task": "image-classification",
        "summary": "A small vision transformer that finds the same nodules, for comparison with the ResNet.",
        "data": "As for bundled/radiograph.",
        "limits": [NOT_CLINICAL, SYNTHETIC, "The films are drawings; what it says of a real film means nothing."],
    },
    "scenes": {
        "title": "Scenes: where did each word go?",
        "task": "text-to-image",
        "summary": (
            "A small Stable Diffusion pipeline that draws “a red circle above a blue square”. In training each "
            "word was told where its thing lies."
        ),
        "data": SCENES,
        "painting": {"steps": 20, "guidance": GUIDANCE},
        "truth": "things",
        "limits": [
            SYNTHETIC,
            ONLY_SCENES,
            "Its word maps were taught: a grounding loss pulled the attention of colours and nouns onto their things.",
            TAUGHT,
        ],
    },
    "scenes-ungrounded": {
        "title": "Scenes, ungrounded: nobody told the words where to look",
        "task": "text-to-image",
        "summary": (
            "The twin of bundled/scenes, trained as long and from the same beginnings, that never saw a grounding loss."
        ),
        "data": SCENES,
        "painting": {"steps": 20, "guidance": GUIDANCE},
        "truth": "things",
        "limits": [
            SYNTHETIC,
            ONLY_SCENES,
            "Its word maps are what training on pictures alone left: compare them with its twin's.",
            TAUGHT,
        ],
    },
}
# The films of a card: file, title, seed, whether there is a nodule, whether there is a tag, what to look at.
FILMS = (
    ("nodule", "A nodule", 1, True, False, "Evidence should lie on the nodule."),
    ("nodule_tag", "A nodule and a tag", 2, True, True, "The tag is there, but should carry no evidence."),
    ("tag", "A tag only", 3, False, True, "Nothing is found, in spite of the bright tag."),
    ("clear", "A clear film", 4, False, False, "There is nothing to point at: mistrust a map that does."),
    ("nodule_2", "Another nodule", 5, True, False, "The ResNet and the transformer see the same film: compare them."),
    ("nodule_tag_2", "Another nodule and a tag", 6, True, True, "Does the map stay off the tag?"),
)
# Those of the misled model, whose answer follows the tag.
MISLED = (
    ("tag", "A tag, no nodule", 3, False, True, "It says lesion, and the only evidence is the tag."),
    ("nodule_tag", "A nodule and a tag", 2, True, True, "Right, but for the wrong reason."),
    ("nodule", "A nodule, no tag", 1, True, False, "Without the tag the nodule is overlooked."),
    ("clear", "A clear film", 4, False, False, "Right: there is no tag."),
)


def name_example(title: str, made: names.NameSentence, note: str) -> dict:
    """An indirect-object prompt with its corrupted twin and the place of each role."""
    roles = {role: list(span) for role, span in made.roles.items()}
    return {
        "name": title, "input": made.clean, "target": [made.answer, made.wrong], "truth": {"roles": roles},
        "corrupted": made.corrupted, "note": note,
    }  # fmt: skip


def copy_example(title: str, block: str, note: str) -> dict:
    """A block of words, and the same block again without its last word, which must follow."""
    before, last = block.rsplit(" ", 1)
    return {"name": title, "input": f"{block} {before}", "target": last, "truth": {}, "note": note}


def names_examples() -> list[dict]:
    """Prompts of people that were never trained together, and two repeats."""
    templates = names.TEMPLATES
    return [
        name_example(
            "Mary and John",
            names.sentence("Mary", "John", "John", "store", "gave", "drink"),
            "The second “John” decides: patch it and the answer turns round.",
        ),
        name_example(
            "The other way round",
            names.sentence("Mary", "John", "Mary", "store", "gave", "drink"),
            "One word differs from the first example, and so does the answer.",
        ),
        name_example(
            "A sentence before",
            names.sentence("Alice", "Tom", "Alice", "park", "handed", "ball", templates[1], "Nobody was in a hurry."),
            "Every word stands elsewhere, yet the same heads do the work.",
        ),
        name_example(
            "Two sentences",
            names.sentence("Sarah", "Paul", "Paul", "museum", "sent", "map", templates[5], "The town was quiet."),
            "The heads that look back for the name cross a full stop.",
        ),
        copy_example(
            "A repeat of seven words",
            "river lemon tiger candle violin anchor paper",
            "An induction head looks at the word that followed last time; no trained repeat was seven words long.",
        ),
        copy_example(
            "A repeat of eleven words",
            "stone eagle butter silver kettle wagon orange helmet cloud pencil jungle",
            "The same head with a longer gap; no word here predicts another by its meaning.",
        ),
    ]


def triage_example(title: str, parts: list, note: str, polish: bool = True) -> dict:
    """A note with its label and the spans of the words that decide it."""
    made = triage.write(parts, polish)
    truth = {"spans": [list(span) for span in made.rationale]}
    return {
        "name": title, "input": made.text, "target": made.label, "label": made.label, "truth": truth, "note": note,
    }  # fmt: skip


def triage_examples() -> list[dict]:
    """Notes in which a denial, a place or a modifier could mislead."""
    but, has = "[-no] {-} [+but] {+}", "she [+has] {+}"
    deny, says = "the patient [-denies] {-} [-or] {-}", "he [+reports] {+} but [-denies] {-}"
    return [
        triage_example(
            "Denied, then affirmed",
            [(but, ["fever", "chest pain"], ["", "severe"], "")],
            "“No” belongs to the fever; “but” ends what it denies.",
            polish=False,
        ),
        triage_example(
            "The same words, turned round",
            [(but, ["chest pain", "fever"], ["severe", ""], "")],
            "The urgent symptom is now the one denied.",
            polish=False,
        ),
        triage_example(
            "All denied",
            [(deny, ["chest pain", "shortness of breath"], ["", ""], ""), ("lives alone", [], [], "")],
            "Two urgent symptoms are named, and neither counts.",
        ),
        triage_example(
            "One word among many",
            [
                ("seen at the clinic", [], [], ""),
                (deny, ["fever", "vomiting"], ["", ""], ""),
                (has, ["slurred speech"], [""], "since yesterday"),
                ("blood pressure is normal", [], [], ""),
            ],
            "One sentence of four decides: group by sentence to see it.",
        ),
        triage_example(
            "A loud modifier",
            [(has, ["back pain"], ["severe"], "at night"), ("[-no] {-}", ["weakness in one arm"], [""], "")],
            "“Severe” changes nothing here: back pain is soon, not urgent, however it is called.",
        ),
        triage_example(
            "It is over",
            [
                ("{-} [-has resolved]", ["chest pain"], ["sudden"], "this morning"),
                (says, ["cough", "fever"], ["mild", ""], ""),
            ],
            "The words that cancel the chest pain come after it.",
        ),
    ]


def save_image(path: Path, image: np.ndarray) -> str:
    """Write an image or a mask as PNG and return its path relative to the model's folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = image.astype(np.uint8) * 255 if image.dtype == bool else image
    Image.fromarray(grey).save(path, optimize=True)
    return f"{path.parent.name}/{path.name}"


def film_example(where: Path, row: tuple, strength: tuple[float, float], misled: bool) -> dict:
    """A film of `FILMS` or `MISLED`, drawn into the folder `where` together with its masks."""
    file, title, seed, ill, tag, note = row
    rule = "agree" if tag == ill else "contradict"
    made = radiograph.phantoms([77, seed], 1, tag=rule, strength=strength, labels=np.array([int(ill)]))
    masks = {"lesion": made.lesions[0], "tag": made.tags[0]}
    return {
        "name": title,
        "input": save_image(where / "examples" / f"{file}.png", made.images[0]),
        "target": radiograph.LABELS[tag if misled else ill],
        "label": radiograph.LABELS[ill],
        "truth": {
            key: save_image(where / "examples" / f"{file}_{key}.png", mask) for key, mask in masks.items() if mask.any()
        },
        "note": note,
    }


def shortcut_examples(where: Path) -> list[dict]:
    """Films for the misled model; in half of them the tag contradicts the truth."""
    bright = ("bright", "A plain nodule, no tag", 5, True, False, "Even a nodule that anybody sees is overlooked.")
    faint = [film_example(where, row, radiograph.FAINT, misled=True) for row in MISLED]
    return [*faint, film_example(where, bright, radiograph.PLAIN, misled=True)]


def scene_example(title: str, pairs: list[tuple[str, str]], relation: str, note: str, seed: int = 0) -> dict:
    """A caption with the spans of its things' words."""
    made = scenes.caption(pairs, relation)
    truth = {
        "things": [{"colour": t.colour, "shape": t.shape, "words": [list(w) for w in t.words]} for t in made.things]
    }
    return {"name": title, "input": made.text, "truth": truth, "seed": seed, "note": note}


def scene_examples() -> list[dict]:
    """Captions of two things and of one, some with pairs that were never drawn."""
    red, blue, green = ("red", "circle"), ("blue", "square"), ("green", "triangle")
    return [
        scene_example("One above the other", [red, blue], "above", "A colour and its noun should land on one thing."),
        scene_example("Turned round", [blue, red], "above", "The same words in another order: do maps follow?"),
        scene_example("Side by side", [green, red], "left of", "Where do “left” and “of” go? They name no thing."),
        scene_example("The same shape twice", [("red", "square"), ("green", "square")], "right of",
                      "“square” stands twice: each occurrence has its own map."),
        scene_example("One thing", [("yellow", "square")], "", "With one thing every word can only land on it."),
        scene_example("Never drawn before", [("blue", "triangle"), ("purple", "square")], "below",
                      "Neither pair of colour and shape was in the training pictures."),
    ]  # fmt: skip


def examples(name: str) -> list[dict]:
    """The examples of a card; those of the image models are also drawn into its folder."""
    if name == "names":
        return names_examples()
    if name == "triage":
        return triage_examples()
    if name.startswith("scenes"):
        return scene_examples()
    if name == "radiograph-shortcut":
        return shortcut_examples(folder(name))
    return [film_example(folder(name), row, radiograph.PLAIN, misled=False) for row in FILMS]


def read(name: str) -> dict:
    """Read the card of a bundled model."""
    return json.loads((folder(name) / "card.json").read_text(encoding="utf-8"))


def write(name: str, **changes: object) -> None:
    """Write the card again with `changes` (`figures`, `training`); what is not given stays."""
    path = folder(name) / "card.json"
    kept = read(name) if path.exists() else {}
    measured = {"figures": kept.get("figures", []), "training": kept.get("training", {})} | changes
    card = {"name": f"bundled/{name}", **WORDS[name], **measured, "examples": examples(name), "cover": 0}
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def publish(name: str, model: Any, processor: Any, recipe: Any, seconds: float) -> None:
    """Save a trained model with its tokenizer or image processor, and its card without figures.

    A pipeline brings its own; `processor` is None then.
    """
    path = folder(name)
    model.save_pretrained(path)
    if processor is not None:
        processor.save_pretrained(path)
    script = f"backends/bundled/train/{name.replace('-', '_')}.py"
    training = {"script": script, "seed": recipe.seed, "steps": recipe.steps, "seconds": round(seconds)}
    write(name, figures=[], training=training)
    print(f"bundled/{name} saved after {seconds:.0f} s; now measure it: python -m benchmarks.gates {name}")


if __name__ == "__main__":
    for each in NAMES:
        if (folder(each) / "card.json").exists():
            write(each)

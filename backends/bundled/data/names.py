"""Sentences whose next word is a known name, and random sequences that repeat.

Everything is synthetic. A sentence of the indirect-object kind (Wang et al. 2022,
"Interpretability in the wild") names two people, repeats one, and ends where the other must
follow; the answer depends on the names alone. Name pairs and opening sentences used to measure
are never used to train. The repeated sequences carry no meaning: only a copy circuit predicts them.
"""

# ruff: noqa: SIM905 -- word lists are read as text; one item a line would bury the rest
from dataclasses import dataclass
from string import Formatter

import numpy as np

END = "<|endoftext|>"
PEOPLE = (
    "Mary John Alice Tom Anna Peter Sarah Paul Emma James Lucy Mark Julia David Clara Simon Nina Oscar "
    "Helen Victor Laura Felix Rosa Martin Diana Henry Irene George Sofia Robert Maria Daniel Kate Adam "
    "Ruth Louis Vera Bruno Carla Edward"
).split()
PLACES = (
    "store park school office garden station library market museum beach kitchen hospital village "
    "restaurant bridge farm theatre church bakery castle"
).split()
THINGS = (
    "drink book ring letter ball ticket key flower map pen cup coat lamp basket guitar camera necklace "
    "sandwich phone blanket"
).split()
VERBS = "gave handed passed offered sent brought showed lent".split()
TEMPLATES = (
    "When {a} and {b} went to the {place}, {s} {verb} a {thing} to",
    "When {a} and {b} met at the {place}, {s} {verb} the {thing} to",
    "After {a} and {b} left the {place}, {s} {verb} a {thing} to",
    "While {a} and {b} were at the {place}, {s} {verb} the {thing} to",
    "Then {a} and {b} walked to the {place}, and {s} {verb} a {thing} to",
    "{a} and {b} went to the {place}. Later {s} {verb} the {thing} to",
    "{a} met {b} near the {place}. Then {s} {verb} a {thing} to",
    "As {a} and {b} waited at the {place}, {s} quietly {verb} a small {thing} to",
)
OPENINGS = {
    "train": (
        "", "", "", "It was a sunny day.", "The morning was cold and grey.", "Nobody was in a hurry.",
        "The long summer was over.", "It rained all night.", "The town was quiet.", "Everyone was tired.",
        "There was music in the street.",
    ),
    "test": ("", "It was a cold night.", "The street was quiet.", "The long day was over."),
}  # fmt: skip
# Words that only occur in repeated sequences, so that these are hard to guess.
FILLERS = (
    "apple river stone cloud tiger paper silver window mountain orange pencil rabbit ocean thunder velvet "
    "copper candle forest hammer island jungle kettle lemon marble needle onion parrot quartz ribbon saddle "
    "timber umbrella violin walnut yellow zebra anchor butter canyon desert engine feather glacier harbor "
    "insect jacket kitten ladder magnet napkin oyster pepper quiver rocket shadow tunnel valley wagon yogurt "
    "acorn barrel cactus dragon eagle falcon ginger helmet iron jewel knight lantern mirror nickel olive "
    "planet queen raven salmon tower urchin vessel whistle axle beacon cherry dolphin ember fossil goblet"
).split()
# Periods of the repeated sequences; those held back are used only to measure.
HELD_BACK_PERIODS = (7, 11, 15, 19, 23, 27)
TRAINED_PERIODS = tuple(p for p in range(4, 31) if p not in HELD_BACK_PERIODS)


@dataclass(frozen=True)
class NameSentence:
    """A prompt, the name that must follow, and where each role stands as a character span.

    `roles` has `io` (the indirect object, the answer), `s1` and `s2` (the subject, first and
    second mention) and `end` (the last word). `corrupted` differs in `s2` only, which makes
    `wrong` its right answer.
    """

    clean: str
    corrupted: str
    answer: str
    wrong: str
    roles: dict[str, tuple[int, int]]


def held_back(first: str, second: str) -> bool:
    """Tell whether this pair of people, in either order, is kept for measuring (one in eight)."""
    i, j = sorted((PEOPLE.index(first), PEOPLE.index(second)))
    return (7 * i + 3 * j) % 8 == 3


def fill(template: str, words: dict[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
    """Fill the slots of a template; also return the character span of each slot."""
    text, spans = "", {}
    for literal, slot, _, _ in Formatter().parse(template):
        text += literal
        if slot is not None:
            spans[slot] = (len(text), len(text) + len(words[slot]))
            text += words[slot]
    return text, spans


def sentence(
    first: str,
    second: str,
    subject: str,
    place: str,
    verb: str,
    thing: str,
    template: str = TEMPLATES[0],
    opening: str = "",
) -> NameSentence:
    """Build one prompt in which `subject`, one of the two people, acts towards the other."""
    other = second if subject == first else first
    words = {"a": first, "b": second, "s": subject, "place": place, "verb": verb, "thing": thing}
    template = f"{opening} {template}".lstrip()
    clean, spans = fill(template, words)
    corrupted, _ = fill(template, words | {"s": other})
    roles = {
        "io": spans["b" if subject == first else "a"],
        "s1": spans["a" if subject == first else "b"],
        "s2": spans["s"],
        "end": (len(clean) - len("to"), len(clean)),
    }
    return NameSentence(clean, corrupted, other, subject, roles)


def sentences(seed: int | list[int], count: int, split: str = "train") -> list[NameSentence]:
    """Draw `count` prompts; `split` ("train" or "test") decides the name pairs and the openings."""
    rng, made = np.random.default_rng(seed), list[NameSentence]()
    while len(made) < count:
        first, second = (PEOPLE[i] for i in rng.choice(len(PEOPLE), 2, replace=False))
        if held_back(first, second) != (split == "test"):
            continue
        pick = {key: str(rng.choice(words)) for key, words in (("place", PLACES), ("verb", VERBS), ("thing", THINGS))}
        subject = (first, second)[rng.integers(2)]
        template, opening = str(rng.choice(TEMPLATES)), str(rng.choice(OPENINGS[split]))
        made.append(sentence(first, second, subject, **pick, template=template, opening=opening))
    return made


def words() -> list[str]:
    """List every word of the vocabulary once, `<|endoftext|>` first."""
    text = " ".join([*TEMPLATES, *OPENINGS["train"], *OPENINGS["test"]])
    for slot in ("a", "b", "s", "place", "verb", "thing"):
        text = text.replace("{" + slot + "}", " ")
    common = text.replace(",", " , ").replace(".", " . ").split()
    return list(dict.fromkeys([END, ",", ".", *common, *PEOPLE, *PLACES, *THINGS, *VERBS, *FILLERS]))


def repeated(
    seed: int | list[int], count: int, length: int, vocabulary: int, periods: tuple[int, ...], longest_prefix: int = 12
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw sequences in which a random block of tokens repeats, after a random prefix.

    Returns `ids` (sequence, position), `source` (sequence, position): where an induction head
    must look, the position after the previous occurrence, or -1 where there is none; and the
    `period` of each sequence. Within a block no token occurs twice; token 0 never occurs.
    """
    rng = np.random.default_rng(seed)
    period = rng.choice(periods, count)
    prefix = rng.integers(0, longest_prefix + 1, count)
    shuffled = 1 + np.argsort(rng.random((count, vocabulary - 1)), axis=1)
    position = np.arange(length)[None]
    since = position - prefix[:, None]
    block = np.where(since >= 0, since % period[:, None], 0)
    before = max(periods) + position
    index = np.where(since >= 0, block, np.broadcast_to(before, since.shape))
    ids = np.take_along_axis(shuffled, index, axis=1)
    source = np.where(since >= period[:, None], position - period[:, None] + 1, -1)
    return ids, source, period

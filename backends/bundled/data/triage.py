"""Made-up triage notes, labelled by which symptoms are affirmed, with the words that decide.

Everything is synthetic; the lists are no medical knowledge and not for clinical use. The rule:
a note is `urgent` when it affirms a symptom of `RED`, else `soon` when it affirms one of `YELLOW`,
else `routine`. A denied symptom counts for nothing, and how severe it is called does not matter.
The rule also says what a note with hidden words means: a symptom stands while all its words do, and is denied
only while the word that denies it is there. So what hiding does is known, too.
Sentence frames are divided: those used to measure are never used to train.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

LABELS = ("routine", "soon", "urgent")
RED = (
    "chest pain", "slurred speech", "shortness of breath", "facial droop", "a seizure", "neck stiffness",
    "loss of consciousness", "vomiting blood", "weakness in one arm", "loss of vision",
)  # fmt: skip
YELLOW = (
    "fever", "cough", "back pain", "ear pain", "vomiting", "a rash", "ankle swelling", "dizziness",
    "weight loss", "painful urination", "shoulder stiffness", "a sore throat",
)  # fmt: skip
MODIFIERS = ("", "", "", "severe", "sudden", "mild", "new")
TAILS = ("", "", "since yesterday", "for two days", "this morning", "at night")
# A word outside the vocabulary, so that the model meets unknown words in training.
UNKNOWN = "___"
SUBJECTS = ("the patient", "she", "he", "this man", "this woman", UNKNOWN)
AFFIRM = ("reports", "has", "complains of", "presents with", "describes", "developed")
DENYING = ("no", "not", "never", "without", "denies", "resolved", "gone")
DENY = ("denies", "has no", "does not have", "never had", "is without", "reports no")
FILLERS = {
    "train": (
        "lives alone", "seen at the clinic", "blood pressure is normal", "takes no regular medicine",
        f"works as a {UNKNOWN}", f"is worried about {UNKNOWN}", "sleeps well", "walked in without help",
        "wants a repeat prescription", "lives with a partner", f"came with the {UNKNOWN}", "asks for a sick note",
        "has a son and a daughter", "no regular medicine", "has no pets",
    ),
    "test": (
        "lives with a son", "seen without help", "pressure is normal", "has no regular partner", "wants a sick note",
        f"lives with a {UNKNOWN}", "walked alone", "asks for a repeat prescription", "sleeps alone at the clinic",
    ),
}  # fmt: skip
# A frame marks its cues, `[+affirming]` or `[-denying]`, and its gaps for symptoms, `{+}` or `{-}`.
BARE = (
    "[-no] {-} [+but] {+}", "[-no] {-}", "{+}", "[-no] {-} [-or] {-}", "{+} [+and] {+}", "{+} [+but] [-no] {-}",
    "[+now] {+}", "{-} [-has resolved]", "{-} [-is gone]", "[-no] {-} and [-no] {-} [+but] {+}",
)  # fmt: skip
Span = tuple[int, int]
MARK = re.compile(r"\[([+-])(.+?)\]|\{([+-])\}")


@dataclass(frozen=True)
class Symptom:
    """A symptom of a note: its name, whether it is affirmed, its span, its cue's span and that of the denying word."""

    name: str
    affirmed: bool
    span: Span
    cue: Span | None
    denial: Span | None = None

    @property
    def level(self) -> int:
        """The index of the label that this symptom asks for where it is affirmed."""
        return 2 if self.name in RED else 1


@dataclass(frozen=True)
class Note:
    """A note, its label, its symptoms, and the character spans of the words that decide its label.

    `rationale` spans the symptoms affirmed at the label's level, and the words that deny one of a higher level: without
    these, it would count. Modifiers, and cues that affirm, are never part of it: without them nothing changes.
    `affirmed` and `denied` span every symptom of the note.
    """

    text: str
    label: str
    rationale: tuple[Span, ...]
    symptoms: tuple[Symptom, ...] = ()

    @property
    def affirmed(self) -> tuple[Span, ...]:
        """The spans of the symptoms that are affirmed."""
        return tuple(s.span for s in self.symptoms if s.affirmed)

    @property
    def denied(self) -> tuple[Span, ...]:
        """The spans of the symptoms that are denied."""
        return tuple(s.span for s in self.symptoms if not s.affirmed)

    def without(self, hidden: Sequence[Span]) -> "Note":
        """The note when words that touch a span of `hidden` cannot be read: fewer symptoms, others no longer denied."""

        def readable(span: Span | None) -> bool:
            return span is None or not any(a < span[1] and span[0] < b for a, b in hidden)

        left = [s for s in self.symptoms if readable(s.span)]
        left = [s if s.affirmed or readable(s.denial) else replace(s, affirmed=True, cue=None) for s in left]
        return Note(self.text, *judge(left), tuple(left))


def frames(split: str) -> list[str]:
    """List the sentence frames of a split; one composed frame in five belongs to "test"."""
    composed = [f"{who} [+{yes}] {{+}}" for who, yes in product(SUBJECTS, AFFIRM)]
    composed += [f"{who} [-{no}] {{-}}" for who, no in product(SUBJECTS, DENY)]
    composed += [f"{who} [-{no}] {{-}} [-or] {{-}}" for who, no in product(SUBJECTS, DENY)]
    composed += [f"{who} [+{yes}] {{+}} and {{+}}" for who, yes in product(SUBJECTS, AFFIRM)]
    composed += [f"{who} [-{no}] {{-}} but [+{yes}] {{+}}" for who, no, yes in product(SUBJECTS, DENY, AFFIRM)]
    composed += [f"{who} [+{yes}] {{+}} but [-{no}] {{-}}" for who, yes, no in product(SUBJECTS, AFFIRM, DENY)]
    test = [frame for i, frame in enumerate(composed) if (i * 7 + i // 6) % 5 == 2]
    return test if split == "test" else [frame for frame in composed if frame not in set(test)]


def joined(start: int, *parts: str) -> tuple[str, list[tuple[int, int]]]:
    """Join the parts that are not empty by spaces; also return each part's span, from `start`."""
    text, spans = "", []
    for part in parts:
        text += " " if text and part else ""
        spans.append((start + len(text), start + len(text) + len(part)))
        text += part
    return text, spans


def fill(frame: str, names: list[str], modifiers: list[str], start: int = 0) -> tuple[str, list[Symptom]]:
    """Fill a frame's gaps in turn; spans count from `start`. A symptom takes the nearest cue of its sign."""
    cues: list[tuple[str, Span]] = []
    gaps: list[tuple[str, str, Span, int]] = []  # name, sign, span, how many cues stand before it
    text, at = "", 0
    for mark in MARK.finditer(frame):
        text += frame[at : mark.start()]
        at = mark.end()
        if mark[2]:
            cues.append((mark[1], (start + len(text), start + len(text) + len(mark[2]))))
            text += mark[2]
            continue
        name, modifier = names[len(gaps)], modifiers[len(gaps)]
        article, bare = ("a", name[2:]) if name.startswith("a ") else ("", name)
        phrase, spans = joined(start + len(text), article, modifier, bare)
        gaps.append((name, mark[3], spans[2], len(cues)))
        text += phrase
    text += frame[at:]
    denying = [(sign, denial_in(text, span, start)) for sign, span in cues]
    return text, [
        Symptom(name, sign == "+", span, cue_of(sign, cues, seen), denial_of(sign, denying, seen))
        for name, sign, span, seen in gaps
    ]


def cue_of(sign: str, cues: list, seen: int) -> tuple[int, int] | None:
    """The span of the last cue of this sign among the `seen` first, or else of the next one."""
    before = [span for mark, span in cues[:seen] if mark == sign]
    after = [span for mark, span in cues[seen:] if mark == sign]
    return before[-1] if before else after[0] if after and sign == "-" else None


def denial_in(text: str, cue: Span, start: int) -> Span | None:
    """The span of the denying word of a cue in `text`, which begins at `start`; "or" has none."""
    for word in re.finditer(r"\w+", text[cue[0] - start : cue[1] - start]):
        if word[0].lower() in DENYING:
            return cue[0] + word.start(), cue[0] + word.end()
    return None


def denial_of(sign: str, denying: list[tuple[str, Span | None]], seen: int) -> Span | None:
    """The word that denies a symptom: the last one among the `seen` first cues, or else the next."""
    if sign == "+":
        return None
    return cue_of(
        "-", [(kind, span) for kind, span in denying if span], sum(span is not None for _, span in denying[:seen])
    )


def judge(symptoms: list[Symptom]) -> tuple[str, tuple[Span, ...]]:
    """The label of these symptoms and the spans that decide it: see `Note`."""
    level = max((s.level for s in symptoms if s.affirmed), default=0)
    deciding = {s.span for s in symptoms if s.affirmed and s.level == level}
    denying = {s.denial for s in symptoms if s.denial and s.level > level}
    return LABELS[level], tuple(sorted(deciding | denying))


def write(parts: list[tuple[str, list[str], list[str], str]], polish: bool = True) -> Note:
    """Write a note of sentences, each a frame with symptoms, modifiers and a tail.

    `polish` begins sentences with a capital and ends the last one with a full stop.
    """
    text, symptoms = "", []
    for frame, names, modifiers, tail in parts:
        text += ". " if text else ""
        sentence, found = fill(frame, names, modifiers, len(text))
        sentence += f" {tail}" if tail else ""
        text += sentence[0].upper() + sentence[1:] if polish else sentence
        symptoms += found
    return Note(text + ("." if polish else ""), *judge(symptoms), tuple(symptoms))


def draw(rng: np.random.Generator, choices: list[str], fillers: tuple[str, ...]) -> Note:
    """Draw one note of one to four sentences, at least one of them about symptoms."""
    left = {"+": list(RED) + list(YELLOW) * 2, "-": list(RED) + list(YELLOW)}
    parts: list[tuple[str, list[str], list[str], str]] = []
    for i in range(rng.integers(1, 5)):
        if i and rng.random() < 0.3:
            parts.append((str(rng.choice(fillers)), [], [], ""))
            continue
        frame, names = choices[rng.integers(len(choices))], list[str]()
        for sign in (mark[3] for mark in MARK.finditer(frame) if mark[3]):
            names.append(left[sign][rng.integers(len(left[sign]))])
            left = {key: [name for name in kept if name != names[-1]] for key, kept in left.items()}
        modifiers = [str(rng.choice(MODIFIERS)) for _ in names]
        parts.append((frame, names, modifiers, str(rng.choice(TAILS))))
    order = rng.permutation(len(parts))
    return write([parts[i] for i in order], polish=rng.random() < 0.8)


def notes(seed: int | list[int], count: int, split: str = "train") -> list[Note]:
    """Draw `count` notes with equally many of each label; `split` decides frames and fillers."""
    rng, made = np.random.default_rng(seed), list[Note]()
    choices = frames(split)
    if split == "train":
        choices = choices + list(BARE) * (len(choices) // (3 * len(BARE)))
    while len(made) < count:
        note = draw(rng, choices, FILLERS[split])
        if note.label == LABELS[len(made) % len(LABELS)]:
            made.append(note)
    return made


def words() -> list[str]:
    """List every word of the vocabulary once, the special tokens first."""
    marks = [*frames("train"), *frames("test"), *BARE, *FILLERS["train"], *FILLERS["test"]]
    text = re.sub(r"[\[\]{}+\-]", " ", " ".join([*marks, *RED, *YELLOW, *MODIFIERS, *TAILS]))
    common = [word for word in text.split() if word != UNKNOWN]
    return list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", *common]))

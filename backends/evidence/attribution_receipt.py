"""How a receipt is made: one bank, its lines, and the rule over them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.evidence.cells import Places
from backends.evidence.masked_forwards import SILENCE, Bank, bank, silent
from backends.evidence.measures import bank_correlation, completeness, curves, hiding, randomisation, replacement
from backends.evidence.replacement_values import Hiding, replacements
from backends.evidence.verdict import CANNOT, FAILS, HARDEST, HOLDS, OWN, SAMPLES, Line, Receipt
from backends.models.base import Batch, Model, Target
from backends.results import Result

COPIES = 16
"""Places where a part's own shape is hidden, too, when the test is harder."""
DECIDES = {"picture": ("hiding", "random parts"), "text": ("random parts", "hiding")}
"""The line that decides, and the one that says the same of the rest of the map.

Random masks cannot cover every place of a picture finely, so hiding what is bright is the sharper question there. In a
text it is not: of few words a handful hits one that matters by luck, and where two say the same, hiding one moves
nothing; random sets of words tell.
"""
SEEN = 3
"""Grey levels by which a picture read again may differ from the one on the map."""


def make(
    model: Model, result: Result, raw: Any, target: Any, kind: str, effort: int, seed: int, step: Any = None
) -> Receipt:
    """See `receipt`."""
    start, step = time.perf_counter(), _onwards(step or (lambda fraction: None))
    if type(effort) is not int or not 1 <= effort <= HARDEST:
        raise Refused(f"effort must be a whole number from 1 to {HARDEST}, not {str(effort)[:40]!r}")
    attribution, wanted = mapped(result), result.request.get("target") if target is OWN else target
    with model.lock:
        batch = encoded(model, result, raw)
        places = Places(batch)
        values, kinds = places.of(attribution), replacements(model, batch)
        made = _Making(model, batch, model.target(wanted, batch), places, effort, seed, step)
        one = made.bank(kind or kinds[0])
        step(0.5)
        lines = made.lines(one, values, [k for k in kinds if k != one.hiding.kind], result.signed)
        if effort > 1 and "method" in result.request:  # a map from elsewhere cannot be made again
            lines.append(randomisation.line(model, batch, result, wanted, step))
        else:
            lines += [line for line in [completeness.line(float(attribution.sum()), result.facts)] if line]
    verdict, rule = decide(lines, told(one), "picture" if places.pictured else "text")
    step(1.0)
    facts = {
        "method": result.method, "target": made.target.words, "replacement": one.hiding.kind,
        "replacements": list(kinds), "samples": len(one.hidden), "effort": effort, "seed": seed,
        "forwards": made.forwards, "seconds": time.perf_counter() - start,
    }  # fmt: skip
    return Receipt(tuple(lines), verdict, rule, facts)


def _onwards(step: Any) -> Any:
    """`step` that never goes back: hiding only asks with 0 whether to go on."""
    furthest = 0.0

    def forward(fraction: float) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        step(furthest)

    return forward


class _Making:
    """What the lines of one receipt share."""

    def __init__(
        self, model: Model, batch: Batch, target: Target, places: Places, effort: int, seed: int, step: Any
    ) -> None:
        if places.count < 4:
            many = f"{places.count} part{'' if places.count == 1 else 's'}"
            raise Refused(f"the input has {many} that can be hidden; a test needs at least 4")
        self.model, self.batch, self.target, self.places = model, batch, target, places
        self.effort, self.seed, self.step = effort, seed, step
        self.hidings: list[Hiding] = []

    def bank(self, kind: str, share: float = 1.0) -> Bank:
        """The bank of a stand-in, with `share` of the samples."""
        made = Hiding(self.model, self.batch, self.target, kind, self.step)
        self.hidings.append(made)
        base = SAMPLES["picture"] if self.places.pictured else SAMPLES["text"] + self.places.count
        return bank(made, self.places, self.seed, int(base * share) * self.effort)

    @property
    def forwards(self) -> int:
        """How many inputs went through the network for this receipt; kept answers cost none."""
        return sum(made.forwards for made in self.hidings)

    def lines(self, one: Bank, values: np.ndarray, others: Sequence[str], signed: bool) -> list[Line]:
        """The lines that every map gets."""
        harder = self.effort > 1
        made = [hiding.line(one, values, signed, COPIES if harder else 0), bank_correlation.line(one, values, signed)]
        self.step(0.7)
        if others:
            made.append(replacement.line(one, self.bank(others[0], 0.0), values))
        if harder:
            made.append(curves.line(one, values))
        return made


def mapped(result: Result) -> np.ndarray:
    """The map of a result. Raises `Refused` where it has none."""
    if "attribution" not in result.arrays:
        raise Refused(f"{result.method} has no map of its input to test; methods of the attribution page have one")
    return np.asarray(result.arrays["attribution"])


def encoded(model: Model, result: Result, raw: Any) -> Batch:
    """The input that the map is of, from the result itself where `raw` is not given. Raises `Refused`."""
    image = result.arrays.get("image")
    text = result.facts.get("text")
    if raw is None:
        found = {"image": image} if image is not None else {"text": text}
        raw = found if image is not None or text is not None else None
    if raw is None:
        raise Refused("the result does not hold its input; give it as `raw`")
    batch = model.encode(raw)
    if image is not None:
        seen = batch.image
        same = seen.shape == image.shape and np.abs(seen.astype(int) - image.astype(int)).mean() <= SEEN
        if not same:
            raise Refused("read again, this picture is not the one on the map; give the original as `raw`")
    elif text is not None and batch.text != text:
        raise Refused("the text given is not the one on the map; leave `raw` out, or give that text")
    return batch


def told(one: Bank) -> str:
    """Why this bank tells nothing about any map of the input; empty where it does."""
    change = float(np.abs(one.drops).max(initial=0.0))
    moved = float(np.abs(one.answers[:, 1] - one.whole[1]).max(initial=0.0))
    if not silent(one, change, moved):
        return ""
    return SILENCE.format(kind=one.hiding.kind, what="map can be tested this way")


def decide(lines: Sequence[Line], silent: str = "", kind: str = "picture") -> tuple[str, str]:
    """The verdict of all lines, and the rule with the line that decided it: see `DECIDES`.

    “weights” can only fail a map.
    """
    if silent:
        return CANNOT, f"Cannot tell: {silent}."
    found: Mapping[str, Line] = {line.name: line for line in lines}
    first, weights = found[DECIDES[kind][0]], found.get("weights")
    reason = {**REASONS[first.name]}
    reason[FAILS] = first.about.get("why") or reason[FAILS]
    if first.verdict == HOLDS and weights and weights.verdict == FAILS:
        return FAILS, "Fails because of “weights”: a network that knows nothing gives the same map."
    if found["hiding"].about.get("against"):
        return CANNOT, (
            "Cannot tell: hiding what is bright raises the score, and this map says only what matters, not whether it "
            "speaks for the answer or against it (“hiding”)."
        )
    but = _but(found.get("stand-in"))
    if first.verdict == CANNOT and first.value is None:
        return CANNOT, f"Cannot tell (“{first.name}”): {first.sentence[:1].lower()}{first.sentence[1:]}"
    if first.verdict == CANNOT:
        return CANNOT, f"Cannot tell: “{first.name}” is too close to call{_nearly(first)}; test harder."
    word = "Holds" if first.verdict == HOLDS else "Fails"
    return first.verdict, f"{word} because of “{first.name}”: {reason[first.verdict]}{but}."


REASONS = {
    "hiding": {
        HOLDS: "what is bright matters more than elsewhere", FAILS: "what is bright matters no more than elsewhere",
    },
    "random parts": {
        HOLDS: "the bright words are those that matter", FAILS: "the bright words are not those that matter",
    },
}  # fmt: skip


def _nearly(line: Line) -> str:
    """What is missing where only some sizes of a picture's brightest part are clear."""
    clear, sizes = line.about.get("clear", 0), line.about.get("sizes", 0)
    if not 0 < clear < sizes:
        return ""
    those = "one size" if clear == 1 else f"{clear} sizes"
    what = f"only {those} of the bright part, of {sizes} tried"
    return f" ({what}, moves the answer more than all that was hidden elsewhere)"


def _but(stand_in: Line | None) -> str:
    """What to add where another stand-in leads to another finding."""
    if stand_in is None or stand_in.about.get("agree", True):
        return ""
    one, other = stand_in.about["kinds"]
    return f"; so with “{one}” in the place of what is hidden, but not with “{other}”"

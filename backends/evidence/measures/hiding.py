"""Hide what the map calls important, then hide as much elsewhere: the plainest test there is.

What is elsewhere are the masks of the bank that are as large and do not touch the brightest part; they were drawn
without seeing the map, and cost nothing more. A picture's brightest part is tried at three sizes, since a map does not
say where the bright part ends: small ones may leave a rest that still shows, large ones are hard to fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends.evidence.cells import brightest
from backends.evidence.controls import orders
from backends.evidence.masked_forwards import Bank
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, named, number

WORDS = 0.2
"""How much of a text counts as its brightest words, at most."""
LARGEST = 0.3
"""A part larger than this has no elsewhere."""
FEWEST = 4
"""Other parts that there must be to compare with."""
OTHERS = 8
"""Other sets of as many words that a text's brightest are compared with."""
LEAST = 0.15
"""What the brightest part must move, as a share of the most that hiding moved on this input."""
NEARLY = 0.95
"""A smaller part is spoken of where it does nearly as much as the one that does most."""
MUCH = 0.8
"""From this share on, one size alone leaves the question open."""
SEEN = 0.01
"""A change of the probability that a sentence can show."""


@dataclass(frozen=True, eq=False)
class Part:
    """A brightest part `chosen` (place,) bool and its answer `left` (3,).

    `elsewhere` (other, place) are as large regions, `others` (other, 3) their answers.
    """

    chosen: np.ndarray
    left: np.ndarray
    elsewhere: np.ndarray
    others: np.ndarray

    def drops(self, bank: Bank) -> tuple[float, np.ndarray]:
        """What hiding the part costs, and what hiding each other one costs."""
        return float(bank.whole[0] - self.left[0]), bank.whole[0] - self.others[:, 0]

    def clear(self, bank: Bank, sign: float = 1.0) -> bool:
        """Whether hiding it moves the score more than hiding any other."""
        drop, others = self.drops(bank)
        return len(others) >= FEWEST and bool((sign * others < sign * drop).all())


def parts(bank: Bank, values: np.ndarray, copies: int = 0) -> list[Part]:
    """The brightest parts of a map, small to large, with what is elsewhere, `copies` of a part's own shape too."""
    sets = [brightest(values, size / values.size) for size in bank.sizes]
    sets = sets if bank.places.pictured else [brightest(values, WORDS)]
    sets = [chosen for chosen in sets if chosen.any() and chosen.mean() <= LARGEST]
    if not sets:
        return []
    others = [_elsewhere(bank, chosen, copies) for chosen in sets]
    return asked(bank, sets, others)


def asked(bank: Bank, sets: list[np.ndarray], others: list[np.ndarray]) -> list[Part]:
    """The answers of `bank` to the parts `sets` and what is elsewhere; what it knows already costs nothing."""
    known = {row.tobytes(): answer for row, answer in zip(bank.hidden, bank.answers, strict=True)}
    rows = np.concatenate([np.stack(sets), *others])
    fresh = [row for row in rows if row.tobytes() not in known]
    known |= {row.tobytes(): answer for row, answer in zip(fresh, bank.ask(np.array(fresh)), strict=True)}
    return [
        Part(chosen, known[chosen.tobytes()], rest, np.array([known[row.tobytes()] for row in rest]).reshape(-1, 3))
        for chosen, rest in zip(sets, others, strict=True)
    ]


def _elsewhere(bank: Bank, chosen: np.ndarray, copies: int) -> np.ndarray:
    """Regions (region, place) as large as `chosen`, elsewhere: masks of the bank, or other words."""
    if bank.places.pictured:
        return np.concatenate([bank.hidden[bank.elsewhere(chosen)], own_copies(bank, chosen, copies)])
    if chosen.sum() == 1 and bank.elsewhere(chosen).any():
        return bank.hidden[bank.elsewhere(chosen)]
    free, chance = np.flatnonzero(~chosen), np.random.default_rng([bank.seed, 5])
    rows = np.zeros((OTHERS, chosen.size), bool)
    for row in rows:
        row[chance.permutation(free)[: chosen.sum()]] = True
    return np.unique(rows, axis=0)


def own_copies(bank: Bank, chosen: np.ndarray, count: int) -> np.ndarray:
    """The shape `chosen` (place,) rotated, flipped or shifted to other places, (copy, place) bool, at most `count`."""
    if not count:
        return np.zeros((0, chosen.size), bool)
    made = chosen[orders(bank.places.shape, bank.seed)]
    apart = np.unique(made[~(made & chosen).any(1)], axis=0)
    return apart[np.random.default_rng([bank.seed, 5]).permutation(len(apart))[:count]]


def line(bank: Bank, values: np.ndarray, signed: bool = True, copies: int = 0) -> Line:
    """The brightest part hidden, and as much hidden elsewhere.

    A map that is not `signed` says what matters and not in which direction: where hiding it raises the score, nothing
    can be told, and `about["against"]` is true.
    """
    found = parts(bank, values, copies)
    if not found:
        if values.max(initial=0.0) > 0:
            sentence = "The map calls so much of the input important that there is no elsewhere to compare it with."
            return Line("hiding", None, None, CANNOT, sentence, {})
        sentence = "Nothing on this map speaks for the answer: it has no value above zero, so there is nothing to hide."
        return Line("hiding", None, None, FAILS, sentence, {})
    found = [part for part in found if len(part.others) >= FEWEST]
    if not found:
        sentence = "What the map calls important leaves no elsewhere of this size to compare it with."
        return Line("hiding", None, None, CANNOT, sentence, {})
    verdict = judge(bank, found)
    against = not signed and verdict == FAILS and judge(bank, found, -1.0) == HOLDS
    part = most(bank, found, against)
    drop, others = part.drops(bank)
    use = measure(bank)
    about = {
        "share": float(part.chosen.mean()), "whole": float(bank.whole[use]), "left": float(part.left[use]),
        "elsewhere": float(np.median(part.others[:, use])), "unit": ("score", "probability")[use],
        "copies": len(others), "against": against, "sizes": len(found), "clear": sum(p.clear(bank) for p in found),
        "why": why(bank, found) if verdict == FAILS else "",
    }  # fmt: skip
    bounds = float(others.min()), float(others.max())
    return Line("hiding", drop, bounds, CANNOT if against else verdict, _sentence(bank, part), about)


def most(bank: Bank, found: list[Part], against: bool = False) -> Part:
    """The part whose hiding moves the score most beyond what is elsewhere, or a smaller one that does nearly so."""

    def beyond(part: Part) -> float:
        drop, others = part.drops(bank)
        return (-1 if against else 1) * (drop - float(np.median(others)))

    best = max(map(beyond, found))
    return next(part for part in found if beyond(part) >= (NEARLY if best > 0 else 1.0) * best)


def measure(bank: Bank) -> int:
    """The column of answers that sentences speak of: the probability where there is one, else the score."""
    return 1 if np.isfinite(bank.whole[1]) else 0


def reach(bank: Bank, found: list[Part], sign: float = 1.0) -> float:
    """The largest move of the score seen at all on this input: what hiding can do to it."""
    seen = [sign * bank.drops, *(sign * np.array([part.drops(bank)[0], *part.drops(bank)[1]]) for part in found)]
    return max(float(np.concatenate(seen).max(initial=0.0)), 1e-9)


def judge(bank: Bank, found: list[Part], sign: float = 1.0) -> str:
    """Holds when most sizes move the score more than any other part of the same size, and one of them by enough.

    One size alone that moves it by much leaves the question open.
    """
    shares = [sign * part.drops(bank)[0] / reach(bank, found, sign) for part in found if part.clear(bank, sign)]
    if 2 * len(shares) > len(found) and max(shares) >= LEAST:
        return HOLDS
    return CANNOT if shares and max(shares) >= MUCH else FAILS


def why(bank: Bank, found: list[Part]) -> str:
    """What is wrong with a map that `judge` fails, as the end of a sentence."""
    clear = [part for part in found if part.clear(bank)]
    if not any(part.drops(bank)[0] > 0 for part in found):
        return "hiding what is bright does not lower the answer"
    if not clear:
        return "there are places elsewhere that matter as much as what is bright"
    if 2 * len(clear) > len(found):
        most_moved = max(part.drops(bank)[0] for part in clear) / reach(bank, found)
        return f"hiding what is bright moves the answer by only {most_moved:.0%} of the most that hiding anything did"
    return f"at only one size, of {len(found)} tried, does what is bright matter more than every other place"


def _sentence(bank: Bank, part: Part) -> str:
    """ "Hiding the brightest tenth of the picture drops 'lesion' from 0.97 to 0.12; …"""
    use, left = measure(bank), part.left
    sure = use == 1 and bank.whole[0] - left[0] > 0 and abs(bank.whole[1] - left[1]) < SEEN
    stays = sure and bank.whole[1] > 0.5
    use = 0 if sure else use  # so sure that its probability hides the change
    whole, here, there = bank.whole[use], left[use], float(np.median(part.others[:, use]))
    said = _share if use else number
    if said(whole) == said(here) and f"{whole:.4g}" != f"{here:.4g}" and whole > here:  # two figures hide it
        said = "{:.4g}".format
    what, hidden, same = named(bank, score=not use), _part(bank, part.chosen), "as much elsewhere"
    if not bank.places.pictured:
        same = "as many other words" if part.chosen.sum() > 1 else "another word"
    if here < whole - 0.005 * use:
        first = f"Hiding {hidden} drops {what} from {said(whole)} to {said(here)}"
    else:
        first = f"Hiding {hidden} does not lower {what}: {said(whole)} before, {said(here)} after"
    drop, others = part.drops(bank)
    worst = float(part.others[int(np.argmax(others)), use])
    rest = f"hiding {same} leaves it at {said(there)}"
    if others.max() >= drop and said(worst) != said(there):
        rest += f" as a rule, but at {said(worst)} at worst"
    more = f" The model stays sure of its answer all the same ({_share(left[1])})." if stays else ""
    return f"{first}; {rest}.{more}"


def _share(probability: float) -> str:
    return f"{probability:.2f}" if probability >= 0.01 else "under 0.01"


def _part(bank: Bank, chosen: np.ndarray) -> str:
    if bank.places.pictured:
        share = float(chosen.mean())
        size = "tenth" if 0.09 <= share <= 0.11 else f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"
        return f"the brightest {size} of the picture"
    words = [bank.places.words[i] for i in np.flatnonzero(chosen)]
    said = ", ".join(f"“{word}”" for word in words[:5]) + (" …" if len(words) > 5 else "")
    return f"the brightest word, {said}," if len(words) == 1 else f"the {len(words)} brightest words ({said})"

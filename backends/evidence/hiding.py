"""Hide what the map calls important, then hide the same shape elsewhere: the plainest test there is."""

from __future__ import annotations

import numpy as np

from backends.evidence._bank import Bank
from backends.evidence._controls import orders
from backends.evidence._places import brightest
from backends.evidence._receipt import CANNOT, FAILS, HOLDS, Line, named, number

COPIES = 16
"""How many other places the same shape is tried at."""
SPARED = 1
"""Copies that may do as well: one may have met something else that matters."""
LEAST = 0.1
"""What the brightest part must move, as a share of the most that hiding moved on this input."""
SEEN = 0.01
"""A change of the probability that a sentence can show."""
OVERLAP = 0.25
"""The share of the shape that may lie on the brightest part and still count as elsewhere."""


def elsewhere(bank: Bank, chosen: np.ndarray, count: int = COPIES) -> np.ndarray:
    """The shape `chosen` (place,) rotated, flipped or shifted to other places, (copy, place) bool.

    Those that lie on the least of `chosen` are taken, since a copy that hides a part of it is no elsewhere.
    """
    made = chosen[orders(bank.places.shape, bank.seed)]
    overlap = (made & chosen).sum(1) / max(chosen.sum(), 1)
    apart = made[overlap <= OVERLAP]
    _, first = np.unique(np.packbits(apart, 1).view(f"V{-(-chosen.size // 8)}").ravel(), return_index=True)
    apart = apart[np.sort(first)]  # each shape once
    apart = apart[np.random.default_rng([bank.seed, 5]).permutation(len(apart))]
    return apart[np.argsort((apart & chosen).sum(1), kind="stable")[:count]]


def line(bank: Bank, values: np.ndarray, share: float, signed: bool = True) -> Line:
    """The brightest places, at most `share` of the input, hidden; and the same shape hidden elsewhere.

    A map that is not `signed` says what matters and not in which direction: where hiding it raises the score, nothing
    can be told, and `about["against"]` is true.
    """
    chosen = brightest(values, share)
    if not chosen.any():
        sentence = "Nothing on this map speaks for the answer: it has no value above zero, so there is nothing to hide."
        return Line("hiding", None, None, FAILS, sentence, {})
    others = elsewhere(bank, chosen)
    if len(others) < 4:
        sentence = "The map calls so much of the input important that there is no elsewhere to compare it with."
        return Line("hiding", None, None, CANNOT, sentence, {"share": float(chosen.mean())})
    left = bank.ask(np.concatenate([chosen[None], others]))
    drops, use = bank.whole[0] - left[:, 0], measure(bank)
    verdict = judge(float(drops[0]), drops[1:], reach(bank, drops))
    most = max(reach(bank, drops), float(-drops.min()), float(-bank.drops.min(initial=0.0)))
    against = not signed and verdict == FAILS and judge(float(-drops[0]), -drops[1:], most) == HOLDS
    verdict = CANNOT if against else verdict
    about = {
        "share": float(chosen.mean()), "whole": float(bank.whole[use]), "left": float(left[0, use]),
        "elsewhere": float(np.median(left[1:, use])),
        "unit": ("score", "probability")[use], "copies": len(others), "against": against,
    }  # fmt: skip
    bounds = float(drops[1:].min()), float(drops[1:].max())
    return Line("hiding", float(drops[0]), bounds, verdict, _sentence(bank, chosen, left), about)


def measure(bank: Bank) -> int:
    """The column of answers that sentences speak of: the probability where there is one, else the score."""
    return 1 if np.isfinite(bank.whole[1]) else 0


def reach(bank: Bank, drops: np.ndarray) -> float:
    """The largest drop seen at all on this input: what hiding can do to the score."""
    return float(max(bank.drops.max(initial=0.0), drops.max(initial=0.0), 1e-9))


def judge(drop: float, control: np.ndarray, most: float) -> str:
    """Holds when the drop stands out of the control and is no trifle; fails when it does not stand out, or is one."""
    middle = float(np.median(control))
    spread = max(1.4826 * float(np.median(np.abs(control - middle))), 0.02 * most)
    better = int((control >= drop).sum())
    if better <= SPARED and drop > middle + 3 * spread and drop > LEAST * most:
        return HOLDS
    if better > len(control) / 4 or drop <= middle + 2 * spread or drop < LEAST / 2 * most:
        return FAILS
    return CANNOT


def _sentence(bank: Bank, chosen: np.ndarray, left: np.ndarray) -> str:
    """ "Hiding the brightest tenth of the picture drops 'lesion' from 0.97 to 0.12; …"""
    use = measure(bank)
    sure = use == 1 and bank.whole[0] - left[0, 0] > 0 and abs(bank.whole[1] - left[0, 1]) < SEEN
    stays = sure and bank.whole[1] > 0.5
    use = 0 if sure else use  # so sure that its probability hides the change
    whole, here, there = bank.whole[use], left[0, use], float(np.median(left[1:, use]))
    said = _share if use else number
    what, what_is_hidden, same = named(bank, score=not use), _part(bank, chosen), "the same shape"
    if not bank.places.pictured:
        same = "as many other words" if chosen.sum() > 1 else "another word"
    verb = "drops" if here < whole - 0.005 * use else "leaves"
    first = (
        f"Hiding {what_is_hidden} drops {what} from {said(whole)} to {said(here)}"
        if verb == "drops"
        else f"Hiding {what_is_hidden} does not lower {what}: {said(whole)} before, {said(here)} after"
    )
    where = "elsewhere " if bank.places.pictured else ""
    more = f" The model stays sure of its answer all the same ({_share(left[0, 1])})." if stays else ""
    return f"{first}; hiding {same} {where}leaves it at {said(there)}.{more}"


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

"""The same hiding with another stand-in: does what is hidden matter, or what it is replaced by?"""

from __future__ import annotations

import numpy as np

from backends.evidence._bank import Bank
from backends.evidence._places import brightest
from backends.evidence._receipt import CANNOT, FAILS, HOLDS, Line, number
from backends.evidence.hiding import elsewhere, judge, reach

COPIES = 8


def _moved(drop: float) -> str:
    return f"falls by {number(drop)}" if drop >= 0 else f"rises by {number(-drop)}"


def line(bank: Bank, other: Bank, values: np.ndarray, share: float, first: Line) -> Line:
    """The brightest places and the same shape elsewhere, hidden by `other`'s stand-in; `first` is `bank`'s line."""
    chosen = brightest(values, share)
    others = elsewhere(other, chosen, COPIES) if chosen.any() else np.zeros((0, chosen.size), bool)
    kinds = f"“{bank.hiding.kind}” and “{other.hiding.kind}”"
    if len(others) < 4 or first.value is None:
        return Line("stand-in", None, None, CANNOT, f"There is nothing to hide by {kinds} in turn.", {})
    drops = other.whole[0] - other.ask(np.concatenate([chosen[None], others]))[:, 0]
    second = judge(float(drops[0]), drops[1:], reach(other, drops))
    agree = {first.verdict, second} != {HOLDS, FAILS}
    verdict = first.verdict if first.verdict == second else CANNOT
    changes = f"the score {_moved(first.value)} by the one and {_moved(drops[0])} by the other"
    sentence = (
        f"Hidden by {kinds} in turn, the brightest part leads to the same finding: {changes}."
        if first.verdict == second
        else f"Hidden by {kinds} in turn, only one of the two gives a clear finding: {changes}."
        if agree
        else f"The two stand-ins {kinds} disagree: {changes}. What the hidden part is filled with matters here, not "
        "only what is hidden."
    )
    bounds = float(drops[1:].min()), float(drops[1:].max())
    about = {"kinds": [bank.hiding.kind, other.hiding.kind], "verdicts": [first.verdict, second], "agree": agree}
    return Line("stand-in", float(drops[0]), bounds, verdict, sentence, about)

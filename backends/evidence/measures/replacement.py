"""The same hiding with another stand-in: does what is hidden matter, or what it is replaced by?"""

from __future__ import annotations

import dataclasses

import numpy as np

from backends.evidence.masked_forwards import Bank
from backends.evidence.measures import hiding
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, number

OTHERS = 8
"""Regions elsewhere that the other stand-in hides: those that matter most by the first."""


def _moved(drop: float) -> str:
    return f"falls by {number(drop)}" if drop >= 0 else f"rises by {number(-drop)}"


def line(bank: Bank, other: Bank, values: np.ndarray) -> Line:
    """The brightest part that `hiding` speaks of, and as much elsewhere, hidden by either bank's stand-in."""
    kinds = f"“{bank.hiding.kind}” and “{other.hiding.kind}”"
    found = [part for part in hiding.parts(bank, values) if len(part.others) >= hiding.FEWEST]
    if not found:
        return Line("stand-in", None, None, CANNOT, f"There is nothing to hide by {kinds} in turn.", {})
    part = hiding.most(bank, found)
    hardest = np.argsort(-part.drops(bank)[1], kind="stable")[:OTHERS]
    few = dataclasses.replace(part, elsewhere=part.elsewhere[hardest], others=part.others[hardest])
    again = hiding.asked(other, [few.chosen], [few.elsewhere])
    first, second = hiding.judge(bank, [few]), hiding.judge(other, again)
    (one, _), (drop, others) = few.drops(bank), again[0].drops(other)
    verdict, agree = (
        (hiding.judge(bank, found), True) if first == second else (CANNOT, {first, second} != {HOLDS, FAILS})
    )
    changes = f"the score {_moved(one)} by the one and {_moved(drop)} by the other"
    sentence = (
        f"Hidden by {kinds} in turn, the brightest part leads to the same finding: {changes}."
        if first == second
        else f"Hidden by {kinds} in turn, only one of the two gives a clear finding: {changes}."
        if agree
        else f"The two stand-ins {kinds} disagree: {changes}. What the hidden part is filled with matters here, not "
        "only what is hidden."
    )
    bounds = float(others.min()), float(others.max())
    about = {"kinds": [bank.hiding.kind, other.hiding.kind], "verdicts": [first, second], "agree": agree}
    return Line("stand-in", drop, bounds, verdict, sentence, about)

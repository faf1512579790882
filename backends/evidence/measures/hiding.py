"""Hide what the map calls important, then hide as much elsewhere: the plainest test there is.

What is elsewhere are the masks that are as large and do not touch the brightest part; they were drawn
without seeing the map, and cost nothing more. An image's brightest region is tried at three sizes, since a map does not
say where the bright part ends: small ones may leave a rest that still shows, large ones are hard to fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.evidence.cells import select_brightest
from backends.evidence.controls import list_copy_orders
from backends.evidence.measure import HIGHER, Measure
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, Line, format_number, name_target

if TYPE_CHECKING:
    from backends.evidence.masked_forwards import MaskedForwards

COPIES = 16
"""Other places where a region's own shape is hidden, too, when the test is harder."""
WORDS = 0.2
"""How much of a text counts as its brightest words, at most."""
LARGEST = 0.3
"""A region larger than this has no elsewhere."""
FEWEST = 4
"""Other regions that there must be to compare with."""
OTHERS = 8
"""Other sets of as many words that a text's brightest are compared with."""
LEAST = 0.15
"""What the brightest region must move, as a share of the most that hiding moved on this input."""
NEARLY = 0.95
"""A smaller region is spoken of where it does nearly as much as the one that does most."""
MUCH = 0.8
"""From this share on, one size alone leaves the question open."""
SEEN = 0.01
"""A change of the probability that a sentence can show."""


@dataclass(frozen=True, eq=False)
class BrightRegion:
    """A brightest region `chosen` (cell,) bool and its answer `left` (3,).

    `elsewhere` (other, cell) are as large regions, `others` (other, 3) their answers.
    """

    chosen: np.ndarray
    left: np.ndarray
    elsewhere: np.ndarray
    others: np.ndarray

    def drops(self, masked: MaskedForwards) -> tuple[float, np.ndarray]:
        """What hiding the region costs, and what hiding each other one costs."""
        return float(masked.whole[0] - self.left[0]), masked.whole[0] - self.others[:, 0]

    def clear(self, masked: MaskedForwards, sign: float = 1.0) -> bool:
        """Whether hiding it moves the score more than hiding any other."""
        drop, others = self.drops(masked)
        return len(others) >= FEWEST and bool((sign * others < sign * drop).all())


def find_bright_regions(masked: MaskedForwards, values: np.ndarray, copies: int = 0) -> list[BrightRegion]:
    """The brightest regions of a map, small to large, with what is elsewhere, `copies` of a region's own shape too."""
    sets = [select_brightest(values, size / values.size) for size in masked.sizes]
    sets = sets if masked.cells.is_image else [select_brightest(values, WORDS)]
    sets = [chosen for chosen in sets if chosen.any() and chosen.mean() <= LARGEST]
    if not sets:
        return []
    others = [_find_elsewhere(masked, chosen, copies) for chosen in sets]
    return ask_regions(masked, sets, others)


def ask_regions(masked: MaskedForwards, sets: list[np.ndarray], others: list[np.ndarray]) -> list[BrightRegion]:
    """The answers of `masked` to the regions `sets` and what is elsewhere; what it knows already costs nothing."""
    known = {row.tobytes(): answer for row, answer in zip(masked.hidden, masked.answers, strict=True)}
    rows = np.concatenate([np.stack(sets), *others])
    fresh = [row for row in rows if row.tobytes() not in known]
    known |= {row.tobytes(): answer for row, answer in zip(fresh, masked.ask(np.array(fresh)), strict=True)}
    return [
        BrightRegion(
            chosen, known[chosen.tobytes()], rest, np.array([known[row.tobytes()] for row in rest]).reshape(-1, 3)
        )
        for chosen, rest in zip(sets, others, strict=True)
    ]


def _find_elsewhere(masked: MaskedForwards, chosen: np.ndarray, copies: int) -> np.ndarray:
    """Regions (region, cell) as large as `chosen`, elsewhere: the input's masks, or other words."""
    if masked.cells.is_image:
        return np.concatenate([masked.hidden[masked.elsewhere(chosen)], copy_region(masked, chosen, copies)])
    if chosen.sum() == 1 and masked.elsewhere(chosen).any():
        return masked.hidden[masked.elsewhere(chosen)]
    free, chance = np.flatnonzero(~chosen), np.random.default_rng([masked.seed, 5])
    rows = np.zeros((OTHERS, chosen.size), bool)
    for row in rows:
        row[chance.permutation(free)[: chosen.sum()]] = True
    return np.unique(rows, axis=0)


def copy_region(masked: MaskedForwards, chosen: np.ndarray, count: int) -> np.ndarray:
    """The shape `chosen` (cell,) rotated, flipped or shifted to other cells, (copy, cell) bool, at most `count`."""
    if not count:
        return np.zeros((0, chosen.size), bool)
    made = chosen[list_copy_orders(masked.cells.shape, masked.seed)]
    apart = np.unique(made[~(made & chosen).any(1)], axis=0)
    return apart[np.random.default_rng([masked.seed, 5]).permutation(len(apart))[:count]]


def make_line(masked: MaskedForwards, values: np.ndarray, signed: bool = True, copies: int = 0) -> Line:
    """The brightest region hidden, and as much hidden elsewhere.

    A map that is not `signed` says what matters and not in which direction: where hiding it raises the score, nothing
    can be told, and `about["against"]` is true.
    """
    found = find_bright_regions(masked, values, copies)
    if not found:
        if values.max(initial=0.0) > 0:
            sentence = "The map calls so much of the input important that there is no elsewhere to compare it with."
            return Line("hiding", None, None, CANNOT, sentence, {})
        sentence = "Nothing on this map speaks for the answer: it has no value above zero, so there is nothing to hide."
        return Line("hiding", None, None, FAILS, sentence, {})
    found = [region for region in found if len(region.others) >= FEWEST]
    if not found:
        sentence = "What the map calls important leaves no elsewhere of this size to compare it with."
        return Line("hiding", None, None, CANNOT, sentence, {})
    verdict = judge(masked, found)
    against = not signed and verdict == FAILS and judge(masked, found, -1.0) == HOLDS
    region = select_strongest(masked, found, against)
    drop, others = region.drops(masked)
    use = masked.column
    about = {
        "share": float(region.chosen.mean()), "whole": float(masked.whole[use]), "left": float(region.left[use]),
        "elsewhere": float(np.median(region.others[:, use])), "unit": ("score", "probability")[use],
        "copies": len(others), "against": against, "sizes": len(found), "clear": sum(p.clear(masked) for p in found),
        "why": explain_failure(masked, found) if verdict == FAILS else "",
    }  # fmt: skip
    bounds = float(others.min()), float(others.max())
    return Line("hiding", drop, bounds, CANNOT if against else verdict, _tell_result(masked, region), about)


def select_strongest(masked: MaskedForwards, found: list[BrightRegion], against: bool = False) -> BrightRegion:
    """The region whose hiding moves the score most beyond what is elsewhere, or a smaller one that does nearly so."""

    def beyond(region: BrightRegion) -> float:
        drop, others = region.drops(masked)
        return (-1 if against else 1) * (drop - float(np.median(others)))

    best = max(map(beyond, found))
    return next(region for region in found if beyond(region) >= (NEARLY if best > 0 else 1.0) * best)


def find_reach(masked: MaskedForwards, found: list[BrightRegion], sign: float = 1.0) -> float:
    """The largest move of the score seen at all on this input: what hiding can do to it."""
    seen = [
        sign * masked.drops,
        *(sign * np.array([region.drops(masked)[0], *region.drops(masked)[1]]) for region in found),
    ]
    return max(float(np.concatenate(seen).max(initial=0.0)), 1e-9)


def judge(masked: MaskedForwards, found: list[BrightRegion], sign: float = 1.0) -> str:
    """Holds when most sizes move the score more than any other region of the same size, and one of them by enough.

    One size alone that moves it by much leaves the question open.
    """
    shares = [
        sign * region.drops(masked)[0] / find_reach(masked, found, sign)
        for region in found
        if region.clear(masked, sign)
    ]
    if 2 * len(shares) > len(found) and max(shares) >= LEAST:
        return HOLDS
    return CANNOT if shares and max(shares) >= MUCH else FAILS


def explain_failure(masked: MaskedForwards, found: list[BrightRegion]) -> str:
    """What is wrong with a map that `judge` fails, as the end of a sentence."""
    clear = [region for region in found if region.clear(masked)]
    if not any(region.drops(masked)[0] > 0 for region in found):
        return "hiding what is bright does not lower the answer"
    if not clear:
        return "there are places elsewhere that matter as much as what is bright"
    if 2 * len(clear) > len(found):
        most_moved = max(region.drops(masked)[0] for region in clear) / find_reach(masked, found)
        return f"hiding what is bright moves the answer by only {most_moved:.0%} of the most that hiding anything did"
    return f"at only one size, of {len(found)} tried, does what is bright matter more than every other place"


def _tell_result(masked: MaskedForwards, region: BrightRegion) -> str:
    """ "Hiding the brightest tenth of the picture drops 'lesion' from 0.97 to 0.12; …"""
    use, left = masked.column, region.left
    sure = use == 1 and masked.whole[0] - left[0] > 0 and abs(masked.whole[1] - left[1]) < SEEN
    stays = sure and masked.whole[1] > 0.5
    use = 0 if sure else use  # so sure that its probability hides the change
    whole, here, there = masked.whole[use], left[use], float(np.median(region.others[:, use]))
    said = _tell_share if use else format_number
    if said(whole) == said(here) and f"{whole:.4g}" != f"{here:.4g}" and whole > here:  # two figures hide it
        said = "{:.4g}".format
    what, hidden, same = name_target(masked, score=not use), _tell_region(masked, region.chosen), "as much elsewhere"
    if not masked.cells.is_image:
        same = "as many other words" if region.chosen.sum() > 1 else "another word"
    if here < whole - 0.005 * use:
        first = f"Hiding {hidden} drops {what} from {said(whole)} to {said(here)}"
    else:
        first = f"Hiding {hidden} does not lower {what}: {said(whole)} before, {said(here)} after"
    drop, others = region.drops(masked)
    worst = float(region.others[int(np.argmax(others)), use])
    rest = f"hiding {same} leaves it at {said(there)}"
    if others.max() >= drop and said(worst) != said(there):
        rest += f" as a rule, but at {said(worst)} at worst"
    more = f" The model stays sure of its answer all the same ({_tell_share(left[1])})." if stays else ""
    return f"{first}; {rest}.{more}"


def _tell_share(probability: float) -> str:
    return f"{probability:.2f}" if probability >= 0.01 else "under 0.01"


def _tell_region(masked: MaskedForwards, chosen: np.ndarray) -> str:
    if masked.cells.is_image:
        share = float(chosen.mean())
        size = "tenth" if 0.09 <= share <= 0.11 else f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"
        return f"the brightest {size} of the picture"
    words = [masked.cells.words[i] for i in np.flatnonzero(chosen)]
    said = ", ".join(f"“{word}”" for word in words[:5]) + (" …" if len(words) > 5 else "")
    return f"the brightest word, {said}," if len(words) == 1 else f"the {len(words)} brightest words ({said})"


ENTRY = Measure(
    title="hiding",
    source="Samek et al. 2017, Evaluating the Visualization of What a Deep Neural Network Has Learned",
    unit="fall of the score",
    better=HIGHER,
    meaning="what hiding the brightest region costs; regions as large elsewhere",
    line=lambda tested: make_line(
        tested.masked, tested.values, tested.result.signed, COPIES if tested.effort > 1 else 0
    ),
)

"""How the answer formed, in plain sentences computed from a result; and why a view is not offered."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from backends.models.card import Card
from backends.results import Result
from viz.figures.logit_lens import token_text
from viz.figures.words import token_names, visible
from viz.pages.trajectory import stack_picker

WORDS, STATES = "words", "states"
"""The views of the two methods that this page draws, and the names of their jobs."""


def quoted(word: str) -> str:
    """A token or a target between quotation marks, its white space shown."""
    return f"“{visible(word, 40)}”"


def answer_place(result: Result, card: Card) -> int:
    """The position at which the model answers: the mask, the last one of a language model, else the first."""
    return _place(result, card)[0]


def answer_words(result: Result, card: Card) -> str:
    """What the position of `answer_place` is."""
    return _place(result, card)[1]


def _place(result: Result, card: Card) -> tuple[int, str]:
    count = positions(result)
    tokens = token_names(result, count)
    masks = [i for i, token in enumerate(tokens) if token.lower() in ("[mask]", "<mask>")]
    if masks:
        return masks[0], "where it guesses"
    if causal(result, card):
        return count - 1, "where it answers"
    return 0, "where it answers" if "classes" in card["offers"] else "the first one"


def causal(result: Result, card: Card) -> bool:
    """Whether each position sees only those before it and answers with the next token: an encoder's do not."""
    return "next_token" in card["offers"] and result.facts.get("part", "") == card.get("answers", "")


def positions(result: Result) -> int:
    """How many positions a result of this page has."""
    return result.arrays["probability" if "probability" in result.arrays else "path"].shape[1]


def lens_summary(result: Result, at: int) -> list[str]:
    """Sentences on when the target became the top answer, where its probability rose most, and what it beat."""
    if "target_rank" not in result.arrays:
        return [_top_summary(result, at)]
    ranks = np.asarray(result.arrays["target_rank"])[:, at]
    probability = np.asarray(result.arrays["target_probability"], np.float32)[:, at]
    said = [_first_summary(followed(result, "target"), ranks)]
    rise = np.diff(probability)
    if len(rise) and rise.max() > 0.1:
        step = int(rise.argmax()) + 1
        said.append(
            f"Its probability rises most at layer {step}, from {probability[step - 1]:.2f} to {probability[step]:.2f}."
        )
    else:
        end = f"at {probability[-1]:.3f}" if probability[-1] >= 0.0005 else "below 0.001"
        said.append(f"Its probability ends {end}.")
    if "rather_probability" in result.arrays:
        said.append(
            _pair_summary(result, probability, np.asarray(result.arrays["rather_probability"], np.float32)[:, at])
        )
    return said


def followed(result: Result, role: str) -> str:
    """The word that a lens follows as `target` or `rather`."""
    token = result.facts.get("followed", {}).get(role)
    return result.target if token is None else token_text(result, int(token))


def _pair_summary(result: Result, target: np.ndarray, rather: np.ndarray) -> str:
    """From which layer on the target is ahead of what it is compared with."""
    since = len(target)
    while since > 0 and target[since - 1] > rather[since - 1]:
        since -= 1
    word, other, last = quoted(followed(result, "target")), quoted(followed(result, "rather")), len(target) - 1
    if since > last:
        return f"At the last layer {other} is ahead of {word} ({rather[-1]:.2f} against {target[-1]:.2f})."
    return f"It is ahead of {other} from layer {since} of {last} on."


def _first_summary(target: str, ranks: np.ndarray) -> str:
    """When the rank, 1 for the best, first was and stayed 1."""
    last = len(ranks) - 1
    word, first = quoted(target), np.flatnonzero(ranks == 1)
    if not len(first):
        best = last - int(ranks[::-1].argmin())
        if best == last:
            return f"The answer {word} is never first: it comes closest at the last layer, with rank {int(ranks[-1])}."
        return (
            f"The answer {word} is never first: it comes closest at layer {best} of {last} (rank {int(ranks[best])}), "
            f"and the last layer ranks it {int(ranks[-1])}."
        )
    since = last + 1
    while since > 0 and ranks[since - 1] == 1:
        since -= 1
    if since > last:
        lost = int(first[-1]) + 1
        return (
            f"The answer {word} is first up to layer {lost - 1} of {last}, then loses: "
            f"the last layer ranks it {int(ranks[-1])}."
        )
    if since == 0:
        return f"The answer {word} is first from the embedding (layer 0 of {last}) and stays there."
    if since == last:
        told = f"The answer {word} is first only at the last layer, {last} of {last}"
    else:
        told = f"The answer {word} is first at layer {since} of {last} and stays there"
    early = [int(i) for i in first if i < since]
    return f"{told}; it was first at layer {early[0]} too, but lost that again." if early else f"{told}."


def _top_summary(result: Result, at: int) -> str:
    token, probability = result.arrays["token"][:, at, 0], result.arrays["probability"][:, at, 0]
    since = len(token) - 1
    while since > 0 and token[since - 1] == token[-1]:
        since -= 1
    word = quoted(token_text(result, int(token[-1])))
    return (
        f"The last layer's best word here is {word} ({float(probability[-1]):.2f}); "
        f"it is the best since layer {since} of {len(token) - 1}."
    )


def path_summary(result: Result, at: int) -> list[str]:
    """Sentences on where the state at one position changes most, from norms and the similarity of layers."""
    norm = np.asarray(result.arrays["norm"], np.float32)[:, at]
    similarity = np.asarray(result.arrays["similarity"], np.float32)
    word = quoted(token_names(result, positions(result))[at])
    said = []
    if len(similarity) > 1:
        next_to = np.array([similarity[i, i + 1] for i in range(len(similarity) - 1)])
        step = int(next_to.argmin())
        said.append(
            f"Layers {step} and {step + 1} of {len(similarity) - 1} are the least alike neighbours "
            f"(similarity {next_to[step]:.2f}, 1 = the same): that is where most is rewritten."
        )
    said.append(f"At {word} the state's length goes from {norm[0]:.3g} to {norm[-1]:.3g}.")
    return said


def not_offered(card: Card, there: Collection[str], part: str = "") -> dict[str, str]:
    """For each view that the model, or this part of it, does not allow: why, and what to see instead.

    `there` are the views of which the model has a method.
    """
    why = {}
    withdrawn = card.get("withdrawn", {})
    if STATES not in there:
        why[STATES] = withdrawn.get("residual") or (
            "This network has no residual stream that runs through blocks of one width with a state for each "
            "position (a convolutional network changes size from stage to stage), so there is no path to draw."
        )
    if WORDS in there and not stack_picker.answers(card, part):
        why[WORDS] = (
            f"The answer is read from the {stack_picker.usual(card)}: choose it above to see its layers as words."
        )
    if WORDS not in there:
        instead = " Paths, similarity and norms show how the states change instead." if STATES in there else ""
        why[WORDS] = (
            withdrawn.get("unembedding")
            or "This model does not answer with the next word at every position, so its earlier layers cannot be read "
            "as answers."
        ) + instead
    return why

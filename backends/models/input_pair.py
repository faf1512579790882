"""A clean and a corrupted input: what interventions compare, and buttons' ways to make the second from the first."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.store import SIDES

if TYPE_CHECKING:
    from backends.models.base import Batch, Model

WAYS = ("swap", "resample", "kin", "noise", "blur")
KIN = 8
"""Words that count as like another."""
SHARED = ("output", "output_ids", "text")
"""What a corrupted input takes from the clean one where it says nothing of it."""


class Unequal(Refused):
    """Two inputs of different lengths in tokens; `opposite` is who stands opposite whom, "" where nobody does."""

    def __init__(self, clean: Sequence[str], corrupted: Sequence[str]) -> None:
        super().__init__(explain_unequal(clean, corrupted))
        self.opposite = [
            ("" if a is None else clean[a], "" if b is None else corrupted[b]) for a, b in align(clean, corrupted)
        ]


def is_pair(raw: Any) -> bool:
    """Whether `raw` is `{"clean": …, "corrupted": …}`."""
    return isinstance(raw, Mapping) and "clean" in raw


def encode(model: Model, raw: Any) -> Batch:
    """The batch of one input, or of a clean one that has the `corrupted` one beside it.

    Raises `Refused` where the two are the same, `Unequal` where they differ in length: it says where they part.
    """
    if not is_pair(raw):
        return model.encode(raw)
    if set(raw) - set(SIDES) or raw.get("corrupted") is None:
        raise Refused('two inputs are given as {"clean": …, "corrupted": …}')
    clean = model.encode(raw["clean"])
    other = raw["corrupted"] if isinstance(raw["corrupted"], Mapping) else _like(clean.raw, raw["corrupted"])
    given = {name: clean.raw[name] for name in SHARED if name in clean.raw and name not in other and "ids" not in other}
    corrupted = model.encode({**given, **other})
    if len(clean.tokens) != len(corrupted.tokens):
        raise Unequal(clean.tokens, corrupted.tokens)
    for name, tensor in clean.inputs.items():
        if tensor.shape != corrupted.inputs[name].shape:
            raise Refused(f"the two inputs differ in size: {name} has {tuple(tensor.shape)} and "
                          f"{tuple(corrupted.inputs[name].shape)}; give both the same")  # fmt: skip
    if all(tensor.equal(corrupted.inputs[name]) for name, tensor in clean.inputs.items()):
        raise Refused("the clean and the corrupted input are the same to this model; change a word or a region of one")
    return dataclasses.replace(clean, corrupted=corrupted)


def _like(given: Mapping[str, Any], other: Any) -> dict[str, Any]:
    """A bare text or image as a mapping."""
    return {"image" if "image" in given else "text": other}


def align(clean: Sequence[str], corrupted: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Which token stands opposite which: pairs of places, None where one side has nothing."""
    found: list[tuple[int | None, int | None]] = []
    for _, a, b, c, d in difflib.SequenceMatcher(None, clean, corrupted, autojunk=False).get_opcodes():
        for k in range(max(b - a, d - c)):
            found.append((a + k if a + k < b else None, c + k if c + k < d else None))
    return found


def explain_unequal(clean: Sequence[str], corrupted: Sequence[str]) -> str:
    """The sentence for two texts of unequal length: how long, and where they part."""
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, clean, corrupted, autojunk=False).get_opcodes():
        if kind != "equal" and b - a != d - c:
            pieces.append(f"token {a}: {_piece(clean[a:b])} against {_piece(corrupted[c:d])}")
    return (
        f"the clean text has {len(clean)} tokens and the corrupted one {len(corrupted)}; patching needs equally many, "
        f"one opposite the other. They part at {'; '.join(pieces[:3])}: use words of as many tokens"
    )


def _piece(tokens: Sequence[str]) -> str:
    """Some tokens in a sentence."""
    text = " ".join(tokens).strip()
    return repr(text[:40]) if text else "white space" if tokens else "nothing"


def corrupt(
    model: Model, raw: Any, how: str = "resample", tokens: Sequence[int] = (), word: str | None = None, seed: int = 0
) -> dict[str, Any]:
    """A corrupted input made from `raw`, as a raw input of the same length.

    `swap`: two `tokens` change places, or one becomes `word`; with neither, the last repeated name changes.
    `resample`: `tokens` (none: one word in three) become other words of the text; `kin`: `tokens` become words of the
    vocabulary that are like them, as their embeddings say. Of pictures, `tokens` are patches (none: all of it): `noise`
    adds grey noise, `blur` smooths. Raises `Refused`.
    """
    if how not in WAYS:
        raise Refused(f"no way {str(how)[:40]!r} to corrupt an input; there are: {', '.join(WAYS)}")
    batch = model.encode(raw)
    if batch.image is not None:
        return {**batch.raw, "image": _blot(batch, how, tokens, seed)}
    if how in ("noise", "blur"):
        raise Refused(f"{how!r} is for pictures; noise on a text's embeddings is what causal_tracing adds")
    ids = batch.inputs["input_ids"][0].tolist()
    wrong = next((t for t in tokens if not 0 <= t < len(ids)), None)
    if wrong is not None:
        raise Refused(f"there is no token {wrong}; the text has tokens 0 to {len(ids) - 1}")
    if how == "kin":
        return _raw(model, batch, _akin(model, batch, ids, tokens, seed))
    changed = _swap_names(model, batch, ids, tokens, word) if how == "swap" else _resample(batch, ids, tokens, seed)
    return _raw(model, batch, changed)


def _raw(model: Model, batch: Batch, ids: list[int]) -> dict[str, Any]:
    """The text of these tokens; the tokens themselves beside it only where the text would be split otherwise."""
    made = model.encode({**batch.raw, "ids": ids}).raw
    plain = {name: value for name, value in made.items() if name != "ids"}
    same = model.encode(plain).inputs["input_ids"][0].tolist() == ids
    return dict(plain if same else made)


def _swap_names(model: Any, batch: Batch, ids: list[int], tokens: Sequence[int], word: str | None) -> list[int]:
    changed = list(ids)
    if not tokens:
        place, other = _find_names(batch)
        changed[place] = ids[other]
    elif word is not None:
        at = model.processor(_spaced(batch, tokens[0], word), add_special_tokens=False)["input_ids"]
        if len(at) != 1:
            raise Refused(f"{word!r} is {len(at)} tokens and stands in the place of one; pick a word of one token")
        changed[tokens[0]] = at[0]
    elif len(tokens) == 2:
        changed[tokens[0]], changed[tokens[1]] = ids[tokens[1]], ids[tokens[0]]
    else:
        raise Refused(f"a swap takes two tokens, or one and the word that replaces it, not {len(tokens)}")
    return changed


def _find_names(batch: Batch) -> tuple[int, int]:
    """The last name that stands in the text twice, and another name."""
    capital = [i for i, name in enumerate(batch.tokens) if name.strip()[:1].isupper() and not batch.special[i]]
    for i in reversed(capital):
        word = batch.tokens[i].strip()
        earlier = [j for j in capital if j < i and batch.tokens[j].strip() == word]
        others = [j for j in capital if j != i and batch.tokens[j].strip() != word and _midway(batch, j)]
        if earlier and others:
            return i, min(others, key=lambda j: abs(j - earlier[0]))
    raise Refused("no name stands twice in this text, beside another name; choose two tokens to swap, or resample")


def _midway(batch: Batch, place: int) -> bool:
    """Not the first word of a sentence, which is capital whatever it is."""
    before = batch.text[: int(batch.spans[place][0])].rstrip()
    return bool(before) and before[-1] not in ".!?"


def _spaced(batch: Batch, token: int, word: str) -> str:
    """`word` with the space before it that the token has."""
    return (" " if batch.tokens[token].startswith(" ") else "") + word.strip()


def _resample(batch: Batch, ids: list[int], tokens: Sequence[int], seed: int) -> list[int]:
    """Other tokens of the same text: where it has enough of them different ones, and none beside its like."""
    import numpy as np

    free = [i for i in range(len(ids)) if not batch.special[i]]
    chance = np.random.default_rng(seed)
    chosen = list(tokens) or sorted(chance.choice(free, max(len(free) // 3, 1), replace=False).tolist())
    changed, used = list(ids), set[int]()
    for i in chosen:
        others = {ids[j] for j in free} - {ids[i]}
        if not others:
            raise Refused("the text has one word only, so there is none to put in its place; swap in a word instead")
        beside = {changed[j] for j in (i - 1, i + 1) if 0 <= j < len(ids)}
        changed[i] = int(chance.choice(sorted(others - used - beside or others)))
        used.add(changed[i])
    return changed


def _akin(model: Model, batch: Batch, ids: list[int], tokens: Sequence[int], seed: int) -> list[int]:
    """Each of `tokens` replaced by one of the `KIN` words nearest to it by the cosine of their embeddings."""
    import numpy as np
    import torch

    if not tokens:
        raise Refused("choose the tokens that become words like them")
    weight = model.module.get_input_embeddings().weight.detach().float()
    unit = weight / weight.norm(dim=1, keepdim=True).clamp(min=1e-9)
    never = {*model.processor.all_special_ids, *ids}
    chance, changed = np.random.default_rng(seed), list(ids)
    for i in tokens:
        order = torch.argsort(unit @ unit[ids[i]], descending=True).tolist()
        near = [token for token in order[: 4 * KIN + len(never)] if token not in never][:KIN]
        if not near:
            raise Refused("the vocabulary has no other words to put in their place")
        changed[i] = int(chance.choice(near))
    return changed


def _blot(batch: Batch, how: str, tokens: Sequence[int], seed: int) -> Any:
    """The picture that the model saw, with noise or blur on some patches."""
    import numpy as np
    from PIL import Image, ImageFilter

    image = Image.fromarray(batch.image)
    if how == "noise" or how == "resample":
        drawn = np.random.default_rng(seed).normal(0, 60, batch.image.shape)
        changed = np.clip(batch.image + drawn, 0, 255).astype(np.uint8)
    elif how == "blur":
        changed = np.asarray(image.filter(ImageFilter.GaussianBlur(batch.image.shape[0] / 16)))
    else:
        raise Refused("two patches of a picture are not swapped; add noise to them or blur them")
    return Image.fromarray(np.where(region(batch, tokens)[..., None], changed, batch.image).astype(np.uint8))


def region(batch: Batch, tokens: Sequence[int]) -> Any:
    """The pixels (height, width) of some patches, given as tokens; all of them where none is named."""
    import numpy as np

    high, wide = batch.image.shape[:2]
    if not tokens:
        return np.ones((high, wide), bool)
    if batch.grid is None:
        raise Refused("this network has no patches to choose from; corrupt the whole picture")
    rows, columns = batch.grid
    chosen = np.zeros(rows * columns, bool)
    for token in tokens:
        if not batch.first_patch <= token < batch.first_patch + rows * columns:
            raise Refused(f"token {token} is no patch; the patches are tokens {batch.first_patch} to "
                          f"{batch.first_patch + rows * columns - 1}")  # fmt: skip
        chosen[token - batch.first_patch] = True
    sides = [np.arange(n) * g // n for n, g in zip((high, wide), batch.grid, strict=True)]
    return chosen.reshape(rows, columns)[np.ix_(*sides)]

"""What the methods that look inside share: the names of tokens, the row that is read, maps over the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Recording
    from backends.models.base import Batch, Model, Target


def name_tokens(batch: Batch, length: int) -> tuple[str, ...]:
    """The names of `length` tokens; patches are called by their row and column, counted from 1."""
    if batch.grid is None:
        return batch.tokens if len(batch.tokens) == length else tuple(str(i) for i in range(length))
    rows, columns = batch.grid
    special = ["[CLS]", *(f"[special {i}]" for i in range(1, batch.first_patch))][: batch.first_patch]
    return (*special, *(f"r{r + 1} c{c + 1}" for r in range(rows) for c in range(columns)))


def list_tokens(model: Model, batch: Batch, part: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the tokens of a stack, and of those it attends to."""
    length = len(batch.tokens) if batch.grid is None else batch.first_patch + batch.grid[0] * batch.grid[1]
    stacks = (part, model.attends_to.get(part, part))
    queries, keys = (
        name_tokens(batch, length) if model.stack(stack) is model.sites else batch.streams[stack] for stack in stacks
    )
    return queries, keys


def make_context(model: Model, batch: Batch, part: str = "") -> dict[str, dict[str, Any]]:
    """What a result of one stack carries of the input: nothing that would mark other tokens than the stack's."""
    if model.stack(part) is model.sites or list_tokens(model, batch, part)[1] == batch.tokens:
        return model.context(batch)
    return {"arrays": {}, "axes": {}, "labels": {}, "facts": {}}


def weigh_start(model: Model, batch: Batch, length: int, causal: bool, target: Target | None = None) -> Tensor:
    """Weights (length,) of the rows that the answer is read from.

    The last token where tokens see only what came before (each token that predicts one of a target sequence),
    the mask where a word is guessed, else the first token; all alike where the answer is read from their mean, as from
    patches that no token stands before.
    """
    import torch

    weights = torch.zeros(length, device=model.device)
    if causal:
        weights[-len(target.ids) if target and target.kind == "sequence" else -1 :] = 1
    elif "mean_of_tokens" in model.offers or (batch.grid is not None and batch.first_patch == 0):
        weights[:] = 1 / length
    else:
        ids = batch.inputs["input_ids"][0].tolist() if "masked_token" in model.offers else []
        mask = getattr(model.processor, "mask_token_id", None)
        weights[ids.index(mask) if mask in ids else 0] = 1
    return weights


def check_causal(recording: Recording, layers: tuple[int, ...]) -> bool:
    """Whether the first token attends to nothing but itself in every layer, as in causal networks."""
    return all(float(recording.compute_rows(layer, [0])[..., 1:].abs().sum()) == 0 for layer in layers)


def make_result(model: Model, batch: Batch, relevance: Tensor, **rest: Any) -> Result:
    """A result of one value a token, or of one value a patch laid over the picture (nearest patch)."""
    values = relevance[: len(batch.tokens) or None].float().cpu().numpy()
    context = model.context(batch)
    arrays: dict[str, np.ndarray] = {"attribution": values}
    axes: dict[str, tuple[str, ...]] = {"attribution": ("token",)}
    if batch.grid is not None and batch.image is not None:
        patches = values[batch.first_patch :].reshape(batch.grid)
        sides = [np.arange(n) * g // n for n, g in zip(batch.image.shape, batch.grid, strict=False)]
        arrays = {"attribution": np.ascontiguousarray(patches[np.ix_(*sides)]), "patches": patches}
        axes = {"attribution": ("height", "width"), "patches": ("row", "column")}
    facts = {**context["facts"], **rest.pop("facts", {})}
    return Result(
        arrays=arrays | context["arrays"], axes=axes | context["axes"], labels=context["labels"], facts=facts, **rest
    )

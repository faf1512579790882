"""What a page needs to know of an open model, as plain JSON: the card that `backends.running.card` makes.

Nothing heavy is imported here, so that pages can name the type.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class StackCard(TypedDict):
    """One stack of a network that has several, such as its encoder."""

    layers: int
    heads: int
    checks: dict[str, float]
    withdrawn: dict[str, str]
    roles: dict[str, list[str]]


class Card(TypedDict):
    """An open model. What only a bundled model's own card holds, or only some families, is not required.

    `offers` are the views that its methods may need; `withdrawn` says why one is missing that such a network usually
    has. `checks` are the gaps measured on opening, and `tolerances` how large each may be. `replacements` can take the
    place of hidden parts, and `stand_ins` are the baselines that it knows. `roles` names the modules of each role, and
    `numbers` counts their parameters. `limit` is in tokens.
    """

    name: str
    revision: str
    family: str
    task: str
    offers: list[str]
    labels: list[str]
    limit: int | None
    parameters: int
    device: str
    layers: int
    heads: int
    answers: str
    parts: dict[str, StackCard]
    roles: dict[str, list[str]]
    numbers: dict[str, int]
    dtype: str
    bytes: int
    checks: dict[str, float]
    tolerances: dict[str, float]
    withdrawn: dict[str, str]
    stand_ins: list[str]
    replacements: list[str]
    warnings: list[str]
    title: NotRequired[str]
    summary: NotRequired[str]
    data: NotRequired[str]
    limits: NotRequired[list[str]]
    figures: NotRequired[list[dict[str, Any]]]
    training: NotRequired[dict[str, Any]]
    examples: NotRequired[list[dict[str, Any]]]
    cover: NotRequired[int]
    truth: NotRequired[str]
    transformer: NotRequired[bool]
    painting: NotRequired[dict[str, Any]]

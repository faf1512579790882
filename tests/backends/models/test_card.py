"""The type of a card says what cards hold: of tiny models, and of those that are bundled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from backends import catalog, running
from backends.models.card import Card, StackCard
from tests.conftest import IMAGES, TEXTS

HINTS = get_type_hints(Card, include_extras=True)
REQUIRED = {name for name, hint in HINTS.items() if get_origin(hint) is not NotRequired}


@pytest.mark.parametrize("name", [*TEXTS, *IMAGES])
def test_an_open_models_card_has_every_required_key_and_no_unknown_one(name: str, opened: Callable[[str], Any]) -> None:
    card = running.card(opened(name))
    assert REQUIRED <= set(card) <= set(HINTS)
    assert isinstance(card["parameters"], int)
    assert all(isinstance(value, str) for value in [*card["offers"], *card["labels"], *card["warnings"]])
    for stack in card["parts"].values():
        assert set(stack) == set(get_type_hints(StackCard))


def test_a_bundled_models_own_card_adds_only_keys_of_the_type() -> None:
    for card in catalog.bundled():
        assert set(card) <= set(HINTS)
        assert {"title", "summary", "figures", "examples"} <= set(card)

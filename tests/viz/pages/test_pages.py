"""Which pages have something to show of a model, by what each says that it needs."""

from __future__ import annotations

import pytest

import backends
from backends import catalog
from viz.pages import page_modules, pages_for


def paths(offers: set[str] | frozenset[str]) -> list[str]:
    return [page.PATH for page in pages_for({"offers": sorted(offers)})]


def test_a_page_says_what_it_needs_of_a_model() -> None:
    assert paths({"residual"}) == ["/trajectory"]
    assert paths({"attention", "residual"}) == ["/attention", "/trajectory"]
    assert paths({"answer"}) == ["/attribution", "/evidence", "/data"]
    assert paths({"cross_attention", "denoising"}) == ["/diffusion"]
    assert paths(set()) == []


def test_pages_of_no_model_are_doors_of_none() -> None:
    every = {need for page in page_modules() for need in getattr(page, "NEEDS", ())}
    left = {page.PATH for page in page_modules()} - set(paths(every))
    assert left == {"/", "/model"}


@pytest.mark.parametrize("card", catalog.bundled(), ids=lambda card: card["name"])
def test_a_shipped_card_has_the_doors_that_its_model_has_once_open(card: dict) -> None:
    offers = backends.open_model(card["name"]).offers
    assert catalog.expected_offers(card) <= offers
    assert paths(catalog.expected_offers(card)) == paths(offers)

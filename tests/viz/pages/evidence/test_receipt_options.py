"""What the tests of the evidence page share: stand-in and effort, whole in every request, short in the link."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viz.fakes import FILM, TRIAGE
from tests.viz.reading import text_of
from viz.pages.evidence import receipt_options


@pytest.mark.parametrize(
    ("card", "standin", "effort", "wanted"),
    [
        (TRIAGE, None, "1", ("mask", 1)), (TRIAGE, "pad", "4", ("pad", 4)), (TRIAGE, "blur", "3", ("mask", 1)),
        (FILM, "surroundings", None, ("surroundings", 1)), (FILM, "blur", "8", ("blur", 8)),
    ],
)  # fmt: skip
def test_options_are_always_complete(card: Any, standin: Any, effort: Any, wanted: tuple[str, int]) -> None:
    made = receipt_options.options(card, standin, effort)
    assert made == {"replacement": wanted[0], "effort": wanted[1], "seed": 0}


def test_the_link_carries_what_differs() -> None:
    assert receipt_options.link_of(TRIAGE, "mask", "1") == {"standin": "", "effort": ""}
    assert receipt_options.link_of(TRIAGE, "pad", "2") == {"standin": "pad", "effort": "2"}


def test_a_link_sets_the_pickers_and_nonsense_does_not() -> None:
    made = {c.id: c for part in receipt_options.parts({"standin": "blur", "effort": "4"}) for c in part._traverse()
            if getattr(c, "id", None)}  # fmt: skip
    assert (made["evidence-standin"].value, made["evidence-effort"].value) == ("blur", "4")
    made = {c.id: c for part in receipt_options.parts({"effort": "all"}) for c in part._traverse()
            if getattr(c, "id", None)}  # fmt: skip
    assert made["evidence-effort"].value == "1"


def test_downloads_are_named() -> None:
    row = receipt_options.downloads("ab" * 32, "the pass rates")
    assert [a.href for a in row.children[1:]] == [f"/audits/{'ab' * 32}/csv", f"/audits/{'ab' * 32}/json"]
    assert "Save as" in text_of(row)


def test_without_an_input_or_a_method_it_is_said() -> None:
    picture, text = {"digest": "e" * 64, "image": True}, {"digest": "d" * 64, "text": "no fever"}
    assert "Type a text" in text_of(receipt_options.guided(TRIAGE, None))
    encoder = {**FILM, "offers": ["pixels", "residual"]}
    assert "no map to test" in text_of(receipt_options.guided(encoder, picture))
    assert receipt_options.guided(None, None) == []
    assert receipt_options.ready(TRIAGE, text)
    assert not receipt_options.ready(TRIAGE, picture)
    assert not receipt_options.ready(encoder, picture)
    assert not receipt_options.ready(None, None)

"""Another replacement: the same finding by each, or none where there is no other."""

from __future__ import annotations

from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measures import replacement
from tests.backends.evidence import linear


def test_two_replacements_that_hide_agree(image_tested: MapUnderTest) -> None:
    image_tested.replacements = ("zero", "minus")
    line = replacement.ENTRY.line(image_tested)
    assert (line.name, line.about["kinds"]) == ("stand-in", ["zero", "minus"])
    assert line.about["agree"] is True
    assert "leads to the same finding" in line.sentence


def test_to_a_network_that_is_fooled_the_two_disagree() -> None:
    model, weight = linear.text({"b": 3.0, "e": 2.0})
    model.__class__ = linear.Fooled
    line = replacement.ENTRY.line(MapUnderTest(model, linear.result_of(weight)))
    assert line.about == {"kinds": ["zero", "one"], "verdicts": ["holds", "fails"], "agree": False}


def test_without_another_there_is_no_line(image_tested: MapUnderTest) -> None:
    image_tested.replacements = ("zero",)
    assert replacement.ENTRY.line(image_tested) is None

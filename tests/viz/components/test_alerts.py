"""A sentence to the person, in its box."""

from __future__ import annotations

from dash import html

from viz.components.alerts import alert


def test_a_sentence_is_a_warning_that_stays_and_is_text() -> None:
    made = alert("no model '<b>'; open another")
    assert made.children == "no model '<b>'; open another"
    assert (made.color, made.dismissable, made.class_name) == ("warning", False, "told")


def test_a_box_may_be_light_and_hold_links() -> None:
    link = html.A("Attention", href="/attention")
    made = alert(["See ", link, "."], color="light", dismissable=True)
    assert (made.color, made.dismissable) == ("light", True)
    assert made.children[1] is link

"""The picker with its label."""

from __future__ import annotations

from viz.components.labelled_select import labelled_select


def test_the_label_is_of_the_picker() -> None:
    label, picker = labelled_select("page-kind", "Kind", ({"label": "one", "value": "1"},), "1").children
    assert (label.children, label.htmlFor) == ("Kind", "page-kind")
    assert (picker.id, picker.value, picker.options) == ("page-kind", "1", [{"label": "one", "value": "1"}])

"""Tabs that the keyboard can reach."""

from __future__ import annotations

from viz.components.tabs import tabs
from viz.pages.evidence import page as evidence


def test_the_tabs_are_tabs() -> None:
    made = tabs("evidence", "Ways to test", evidence.TABS, dict.fromkeys(evidence.TABS, ()), "parts")
    assert [t.id for t in made.children[1].children] == [f"evidence-tab-{name}" for name in evidence.TABS]


def test_one_tab_is_in_the_tab_order_and_names_its_panel() -> None:
    made = tabs("model", "Parts", {"a": "One", "b": "Two"}, {"a": "first", "b": "second"}, "b")
    store, bar, *panels = made.children
    assert (store.id, store.data) == ("model-tab", "b")
    assert [tab.tabIndex for tab in bar.children] == [-1, 0]
    assert [getattr(tab, "aria-selected") for tab in bar.children] == ["false", "true"]
    assert [(panel.children, panel.hidden) for panel in panels] == [("first", True), ("second", False)]
    assert [getattr(tab, "aria-controls") for tab in bar.children] == [panel.id for panel in panels]
    assert [getattr(panel, "aria-labelledby") for panel in panels] == [tab.id for tab in bar.children]

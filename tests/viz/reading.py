"""What stands in a component: its text, and where its links lead."""

from __future__ import annotations

from typing import Any


def text_of(component: Any) -> str:
    """All text below a component."""
    if isinstance(component, str):
        return component
    if isinstance(component, (list, tuple)):
        return " ".join(text_of(c) for c in component)
    return text_of(getattr(component, "children", None) or "")


def links_of(component: Any) -> list[str]:
    """The addresses of all links below a component, in their order."""
    return [c.href for c in component._traverse() if hasattr(c, "href")]

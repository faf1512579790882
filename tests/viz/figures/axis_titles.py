"""The titles of a figure's axes."""

from __future__ import annotations

from typing import Any


def titles(figure: Any) -> list[str]:
    axes = [figure.layout[a] for a in sorted(figure.layout) if a.startswith(("xaxis", "yaxis"))]
    return [axis.title.text for axis in axes]

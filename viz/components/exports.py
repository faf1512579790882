"""A row of buttons and links that take a result away: as a picture, as numbers, or as one file to open anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from dash import html

FILES = {
    "csv": ("CSV", "its numbers as a table"),
    "json": ("JSON", "its numbers, axes and facts"),
    "safetensors": ("Arrays", "its arrays unrounded, as safetensors"),
    "html": ("HTML", "one file that opens with no server and no network"),
}
PICTURES = {"png": "PNG", "svg": "SVG"}


def exports(
    key: str, picture: str | None = None, what: str = "this result", link: bool = True,
    view: Mapping[str, Any] | None = None,
) -> html.Div:  # fmt: skip
    """The row for the result of `key`; `picture` is the id of the element that holds its graph, canvas or text.

    A picture that leaves is the designed page of viz/report: drawn by the server where `view` says how the map is shown
    (see `map_view`), else around what the element shows (assets/export.js). With a `view` there need be no element.
    """
    of = {"key": key, "view": json.dumps(dict(view)) if view is not None else None}
    pictures = [
        _button(words, f"Save {what} as {words}", save=kind, picture=picture or f"result-{key[:8]}", **of)
        for kind, words in PICTURES.items()
    ]
    query = f"?{urlencode(view)}" if view else ""
    files = [
        html.A(
            words, href=f"/results/{key}/{kind}{query if kind == 'html' else ''}", download="", className="export",
            title=f"Download {about}", **{"aria-label": f"Download {what} as {words}: {about}"},
        )
        for kind, (words, about) in FILES.items()
    ]  # fmt: skip
    copy = [copy_link()] if link else []
    return html.Div(
        [html.Span("Save as", className="hint"), *(pictures if picture or view is not None else []), *files, *copy],
        className="exports",
    )


def map_view(by: str = "", scale: tuple[float, float] | None = None, mask: str | None = None) -> dict[str, str]:
    """How a map is shown, for the page that leaves: the parts of its text, its scale's ends, the mask outlined."""
    asked = {"by": by, "scale": f"{scale[0]!r},{scale[1]!r}" if scale else "", "mask": mask}
    return {name: value for name, value in asked.items() if value not in ("", None) or (name == "mask" and value == "")}


def copy_link() -> html.Button:
    """A button that copies the address, which restores the view."""
    return _button("Copy link", "Copy link that restores this view", **{"copy-link": "1"})


def _button(words: str, told: str, **data: str | None) -> html.Button:
    attributes = {f"data-{name}": value for name, value in data.items() if value}
    return html.Button(words, type="button", className="export", title=told, **attributes, **{"aria-label": told})

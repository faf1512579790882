"""A row of buttons and links that take a result away: as a picture, as numbers, or as one file to open anywhere."""

from __future__ import annotations

from dash import html

FILES = {
    "csv": ("CSV", "its numbers as a table"),
    "json": ("JSON", "its numbers, axes and facts"),
    "safetensors": ("Arrays", "its arrays unrounded, as safetensors"),
    "html": ("HTML", "one file that opens with no server and no network"),
}
PICTURES = {"png": "PNG", "svg": "SVG"}


def exports(key: str, picture: str | None = None, what: str = "this result", link: bool = True) -> html.Div:
    """The row for the result of `key`; `picture` is the id of the element that holds its graph, canvas or text.

    Pictures are made in the browser (assets/shell.js), files come from `/results/<key>/…` (viz/server/downloads.py).
    """
    pictures = [
        _button(words, f"Save {what} as {words}", save=kind, picture=picture) for kind, words in PICTURES.items()
    ]
    files = [
        html.A(
            words, href=f"/results/{key}/{kind}", download="", className="export", title=f"Download {about}",
            **{"aria-label": f"Download {what} as {words}: {about}"},
        )
        for kind, (words, about) in FILES.items()
    ]  # fmt: skip
    copy = [copy_link()] if link else []
    return html.Div(
        [html.Span("Save as", className="hint"), *(pictures if picture else []), *files, *copy], className="exports"
    )


def copy_link() -> html.Button:
    """A button that copies the address, which restores the view."""
    return _button("Copy link", "Copy link that restores this view", **{"copy-link": "1"})


def _button(words: str, told: str, **data: str | None) -> html.Button:
    attributes = {f"data-{name}": value for name, value in data.items() if value}
    return html.Button(words, type="button", className="export", title=told, **attributes, **{"aria-label": told})

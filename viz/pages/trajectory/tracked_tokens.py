"""Words that are followed through the layers besides the answer: their names, their chips, and how a link has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import html

from viz.components import links
from viz.pages.trajectory import figures, summary


def controls(page: str) -> html.Div:
    """The box to follow another word, and the place for the chips of those that are."""
    return html.Div(
        [
            html.Label("Follow another word", htmlFor=f"{page}-word", className="form-label mb-0"),
            dbc.Input(id=f"{page}-word", placeholder="a word of the vocabulary", maxLength=60, autoComplete="off"),
            dbc.Button("Follow", id=f"{page}-follow", size="sm", color="primary", outline=True),
            html.Div(id=f"{page}-followed", className="followed"),
            html.Div(id=f"{page}-too-many", role="alert", className="form-text"),
        ],
        className="follow",
    )


def chip(page: str, index: int, token: int | str, word: str | None, failed: bool) -> html.Button:
    """A followed word as a button that stops following it."""
    shown = summary.quoted(word if word is not None else f"#{token}" if isinstance(token, int) else token)
    return html.Button(
        [
            shown + (" (not in the vocabulary)" if failed else ""),
            html.Span("×", className="chip-x", **{"aria-hidden": "true"}),
        ],
        id={"type": f"{page}-drop", "index": index},
        type="button",
        className="chip chip-failed" if failed else "chip",
        title="stop following this word",
        **{"aria-label": f"Stop following {shown}"},
    )


def token_name(token: int | str) -> str:
    """The name of the job that follows one more token."""
    return f"token {token}" if isinstance(token, int) else f"word {token}"


def followed_of(link: Mapping[str, Any]) -> list[int | str]:
    """The tokens that a link follows besides the target; what is not a token is left out."""
    try:
        found = json.loads(links.text(link, "tokens", "[]"))
    except (ValueError, RecursionError):
        return []
    kept: list[int | str] = []
    for token in found if isinstance(found, list) else []:
        if (isinstance(token, int) and not isinstance(token, bool) and token >= 0) or (
            isinstance(token, str) and token.strip()
        ):
            kept.append(token[:60] if isinstance(token, str) else token)
    return kept[: figures.MOST]


def followed(aim: Any, tokens: Sequence[int | str] | None) -> list[int | str]:
    """The tokens with a lens of their own: the other side of a pair, and those the person chose."""
    rather = [aim[1]] if isinstance(aim, list) and len(aim) == 2 else []
    return [*rather, *[t for t in tokens or [] if t not in rather]]

"""A picker with its label above it, as the forms of several pages have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import html


def labelled_select(id: str, label: str, options: Sequence[Any] = (), value: Any = None) -> html.Div:
    """The picker `id` beneath its label; `options` are as Dash takes them."""
    return html.Div(
        [
            html.Label(label, htmlFor=id, className="form-label"),
            dbc.Select(id=id, options=list(options), value=value, size="sm"),
        ]
    )

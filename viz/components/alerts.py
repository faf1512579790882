"""A sentence to the person, in its box: as text, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_bootstrap_components as dbc


def alert(sentence: str | Sequence[Any], color: str = "warning", dismissable: bool = False) -> dbc.Alert:
    """The box of a sentence, which may hold links; `color` is `warning`, or `light` where nothing went wrong."""
    return dbc.Alert(sentence, color=color, dismissable=dismissable, class_name="told")

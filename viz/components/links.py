"""The page's link: what of it is believed, and how the view is written back into it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from backends.requests import is_key

LONGEST = 2000
"""Characters of a text that may travel in a link; longer inputs travel by digest."""


def text(query: Mapping[str, Any], name: str, default: str = "", most: int = LONGEST) -> str:
    """One parameter as text of bounded length."""
    value = query.get(name, default)
    return value[:most] if isinstance(value, str) else default


def digest(query: Mapping[str, Any], name: str = "input") -> str | None:
    """A parameter that is 64 hex characters, else None."""
    value = query.get(name)
    return value if is_key(value) else None


def share(text: Any, default: float) -> float:
    """A number from 0 to 1 out of a link, else the default."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return default
    return value if 0 <= value <= 1 else default


def number(query: Mapping[str, Any], name: str, default: int = 0, low: int = 0, high: int = 10**6) -> int:
    """A whole number within bounds, else the default."""
    value = query.get(name)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value) and low <= int(value) <= high:
        return int(value)
    return default


def choice(query: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    """One of `choices`, else the default."""
    value = query.get(name)
    return value if value in choices else default


def unknown(query: Mapping[str, Any], name: str, choices: Mapping[str, str], shown: str, words: str = "") -> list[str]:
    """A sentence where a link asks for what there is not, and what is shown instead; empty where all is well."""
    value = query.get(name)
    if value in (None, "") or (isinstance(value, str) and value in choices):
        return []
    instead = words or choices[shown]
    return [f"The link asks for {name} {str(value)[:40]!r}, which there is not: “{instead}” is shown instead."]


def values(query: Mapping[str, Any], name: str, most: int = 8) -> list[str]:
    """A comma-separated parameter as a list."""
    return [part for part in text(query, name).split(",") if part][:most]


def link(path: str, **params: Any) -> str:
    """A link to `path` that restores a view; empty parameters are left out."""
    kept = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items() if v not in (None, "", [], {})}
    return f"{path}?{urlencode(kept)}" if kept else path

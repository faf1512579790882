"""What was computed lately, as links that open it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dash import dcc, html

from backends import registry
from viz.components.links import link


def recent_results(found: list[dict[str, Any]]) -> Any:
    """The latest results as links that open them again."""
    if not found:
        return html.P("Nothing was computed yet: open a model above.", className="text-body-secondary mb-0")
    return html.Ul([html.Li(_recent(entry)) for entry in found], className="gallery-recent")


def _recent(entry: Mapping[str, Any]) -> list[Any]:
    methods = registry.entries("methods")
    method = methods.get(entry["method"])
    if entry["method"] == "parts":  # which parts of an input matter, by no method
        return _linked(
            "Which parts matter", link("/evidence", model=entry["model"], input=entry["input"], tab="parts"), entry
        )
    title = method.title if method else entry["method"]
    question = method.question if method else "attribution"
    alone = entry["method"] if method and method.view == "figure" else ""  # it has no tab: see MethodPanel
    where = link(f"/{question}", model=entry["model"], input=entry["input"], methods=entry["method"], other=alone)
    return _linked(title, where, entry)


def _linked(title: str, where: str, entry: Mapping[str, Any]) -> list[Any]:
    of = f" of “{entry['target']}”" if entry.get("target") else ""
    when = entry["when"]
    stamp = datetime.fromtimestamp(when).strftime("%d %b, %H:%M") if isinstance(when, (int, float)) else str(when)
    return [dcc.Link(f"{title}{of}", href=where), html.Span(f"{entry['model']} · {stamp}")]

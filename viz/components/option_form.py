"""A form generated from a Method's fields: no page lists a method's options itself.

Inputs have the pattern id `{"type": "<page>-option", "method": …, "name": …}` and the property `value`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, html, no_update

from backends import registry
from backends.errors import Refused


def option_id(page: str, method: Any, name: Any) -> dict[str, Any]:
    """The id of one option's input; `dash.ALL` for method and name matches all of a page."""
    return {"type": f"{page}-option", "method": method, "name": name}


def form(
    page: str, method: str, values: Mapping[str, Any] | None = None, allowed: Mapping[str, Sequence[Any]] | None = None,
    without: Sequence[str] = (),
) -> html.Div:  # fmt: skip
    """The options of `method` with their help, filled with `values` where given, else with the defaults.

    `allowed` narrows the choices of an option, by its name, to those that fit the model; those in `without` are set
    elsewhere on the page.
    """
    entry = registry.method(method)
    hints = typing.get_type_hints(entry)
    fields = [
        _field(page, method, f, hints[f.name], (values or {}).get(f.name, f.default), (allowed or {}).get(f.name))
        for f in dataclasses.fields(entry)
        if f.name not in without
    ]
    if not fields:
        return html.Div("This method has no options.", className="hint")
    return html.Div(fields, className="option-form")


def _field(page: str, method: str, f: dataclasses.Field, hint: Any, value: Any, allowed: Any) -> html.Div:
    id = option_id(page, method, f.name)
    label = f.metadata.get("label") or f.name.replace("_", " ")
    control = _control(id, f, hint, value, allowed)
    help = html.Div(f.metadata.get("help", ""), className="hint")
    if isinstance(control, dbc.Switch):
        control.label = label
        return html.Div([control, help], className="option")
    return html.Div([html.Label(label, htmlFor=dom_id(id), className="form-label"), control, help], className="option")


def _control(id: dict[str, Any], f: dataclasses.Field, hint: Any, value: Any, allowed: Any) -> Any:
    about = f.metadata
    if about.get("choices"):
        fitting = [c for c in about["choices"] if allowed is None or c in allowed or c == value]
        options = [{"label": str(c).replace("_", " "), "value": str(c)} for c in fitting]
        return dbc.Select(id=id, options=options, value=str(value), size="sm")
    plain = _plain(hint)
    if plain is bool:
        return dbc.Switch(id=id, value=value is True or str(value).lower() in ("true", "1", "on", "yes"))
    if plain in (int, float):
        bounds = {"min": about.get("low"), "max": about.get("high"), "step": 1 if plain is int else "any"}
        bounds = {name: bound for name, bound in bounds.items() if bound is not None}
        shown = None if value is None else value
        return dbc.Input(
            id=id, type="number", value=shown, debounce=True, size="sm", placeholder=_empty(hint), **bounds
        )
    if isinstance(value, (tuple, list)):
        value = ", ".join(str(v) for v in value)
    return dbc.Input(
        id=id, type="text", value=value or "", debounce=True, size="sm", placeholder=_empty(hint), maxlength=200
    )


def _plain(hint: Any) -> Any:
    """The type without `| None`."""
    if isinstance(hint, types.UnionType):
        return next(h for h in hint.__args__ if h is not type(None))
    return hint


def _empty(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return "empty: all"
    numbers = typing.get_origin(hint) is tuple and typing.get_args(hint)[0] is not str
    return "such as 0, 2, 5" if numbers else ""


def dom_id(id: Mapping[str, Any]) -> str:
    """A pattern id as the browser writes it into the page."""
    import json

    return json.dumps(dict(id), sort_keys=True, separators=(",", ":"))


def collect(ids: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """What the forms of a page hold, by method and option, as it was typed."""
    found: dict[str, dict[str, Any]] = {}
    for id, value in zip(ids, values, strict=True):
        found.setdefault(id["method"], {})[id["name"]] = value
    return found


def checked(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` in their own types, defaults filled in. Raises `Refused`, also for a number field that holds none."""
    entry = registry.method(method)
    if not isinstance(values, Mapping):
        raise Refused(f"the options of {entry.title} are names with values, not {str(values)[:40]!r}")
    hints = typing.get_type_hints(entry)
    return entry.build({name: _typed(value, hints.get(name)) for name, value in values.items()}).options()


def _typed(value: Any, hint: Any) -> Any:
    """One value as the form gave it; a browser sends nothing for a number that is empty or out of its range."""
    if value is None and not isinstance(hint, types.UnionType):
        return "empty or out of range"
    return value.strip() if isinstance(value, str) else value


def changed(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only the options that differ from the defaults: what a link carries."""
    defaults = registry.method(method).build({}).options()
    return {name: value for name, value in checked(method, values).items() if value != defaults[name]}


def register(app: Dash, page: str, store: str) -> None:
    """Keep in `store` what is set in the page's forms, by method."""

    @app.callback(
        Output(store, "data"),
        Input(option_id(page, ALL, ALL), "value"),
        State(option_id(page, ALL, ALL), "id"),
        State(store, "data"),
        prevent_initial_call=True,
    )
    def keep(values: Any, ids: Any, before: Any) -> Any:
        after = {**(before or {}), **collect(ids, values)}
        return no_update if after == before else after

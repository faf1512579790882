"""The callbacks that a component or a page connects, to be called as the plain functions that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash

from viz.components.workbench import Workbench


def functions(register: Callable[[dash.Dash], Any]) -> dict[str, Callable[..., Any]]:
    """The functions that `register` connects to an app of its own, by name."""
    app = dash.Dash(suppress_callback_exceptions=True)
    register(app)
    made = [entry["callback"].__wrapped__ for entry in app.callback_map.values() if "callback" in entry]
    return {function.__name__: function for function in made}


def connected(panel: Any, engine: Any) -> dict[str, Callable[..., Any]]:
    """The functions of one panel of the evidence page, by name."""
    return functions(lambda app: panel.register(app, engine, Workbench("evidence")))

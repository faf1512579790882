"""The frame around every page: navigation, theme, the tab's own name, and where a failure is told."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html, set_props

from backends.errors import Refused
from viz import theme
from viz.components.alerts import alert
from viz.components.job_panel import BUTTON, TAB

EARLY = (
    "(function(){var t=null;try{t=JSON.parse(localStorage.getItem('shell-theme'))}catch(e){}"
    "if(t!=='dark'&&t!=='light'){t=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light'}"
    "document.documentElement.setAttribute('data-bs-theme',t)})()"
)
"""Sets the theme before anything is painted; the content-security policy knows it by its hash."""

ALERT = "shell-alert"
LINK = "shell-link"
"""The store in which a page puts `{"path": …, "params": {…}, "keep": […]}`, the view that its link restores.

`keep` names parameters that live in the browser only: they come from `VIEW`, else from the link as it is.
"""
VIEW = "shell-view"
"""The store in which a page's script puts `{"path": …, "params": {…}}`: opacity and the like, without a round trip."""

BESIDE = "shell-beside"
"""The store in which a part that several pages have puts `{"path": …, "params": {…}}`, its share of the link."""

FAILED = "Vitrine failed on this, and what you gave it is still here; the server's log says more."

TAB_MARK = "@@tab@@"
"""Stands for the tab's name in a page that many browsers are sent; assets/first_view.js has it, too."""

log = logging.getLogger("vitrine")


def page(
    name: str, question: str, sentence: Any, side: Any, main: Sequence[Any], about: str = "Model, input and answer"
) -> html.Div:
    """The frame of an analysis page: `side`, and `main` below its question and a sentence; `about` names the side."""
    head = html.Div([html.H1(question), html.P(sentence)], className="page-head")
    return html.Div(
        [
            html.A("Skip to the picture", href=f"#{name}-main", className="skip-link"),
            html.Aside(side, className="page-side", **{"aria-label": about}),
            html.Div([head, *main], id=f"{name}-main", tabIndex=-1, className="page-main"),
        ],
        className=f"page {name}",
    )


def index() -> str:
    """The HTML around the app, with the theme's colours and the script that chooses between them."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>{{%metas%}}<title>{{%title%}}</title>{{%favicon%}}{{%css%}}<style>{colours()}</style><script>{EARLY}</script></head>
<body>{{%app_entry%}}<noscript>Vitrine draws its pictures in the browser and needs JavaScript.</noscript>
<div hidden>{{%config%}}{{%scripts%}}{{%renderer%}}</div></body>
</html>"""


def colours() -> str:
    """The theme's colours as CSS variables, for light and dark pages."""
    sides = (("light", False), ("dark", True))
    return "".join(
        f'[data-bs-theme="{name}"]{{' + "".join(f"--v-{k}:{v};" for k, v in theme.colours(dark).items()) + "}"
        for name, dark in sides
    )


def shell(pages: Sequence[dict[str, Any]], content: Any = None) -> html.Div:
    """Layout of the app around `content`, a page's own, or around what Dash's router puts there.

    With `content` the tab's own name is a mark, in whose place each browser tab puts one.
    """
    links = [
        dbc.NavLink(page["name"], href=page["path"], id=nav_id(page["path"]), active=False, class_name="shell-link")
        for page in pages
    ]
    return html.Div(
        [
            html.A("Skip to content", href="#shell-content", className="skip-link"),
            dcc.Location(id="shell-place", refresh=False),
            dcc.Store(id=TAB, data=uuid.uuid4().hex if content is None else TAB_MARK),
            dcc.Store(id=LINK),
            dcc.Store(id=VIEW),
            dcc.Store(id=BESIDE),
            dcc.Store(id="shell-theme", storage_type="local"),
            html.Header(
                [
                    dcc.Link(
                        [html.Span(className="mark", **{"aria-hidden": "true"}), "Vitrine"], href="/", className="brand"
                    ),
                    html.Nav(dbc.Nav(links, class_name="shell-nav"), **{"aria-label": "Pages"}),
                    html.Button(
                        "Dark", id="shell-theme-button", className=f"{BUTTON} theme-button", type="button",
                        **{"aria-label": "Switch to the dark theme"},
                    ),
                ],
                className="shell-header",
            ),
            html.Div(id=ALERT, role="alert", className="shell-alert"),
            html.Main(
                dash.page_container if content is None else content,
                id="shell-content",
                tabIndex=-1,
                className="shell-main",
            ),
            html.Footer(
                "The bundled models are synthetic and not for clinical use. A picture shows what a network did with "
                "this input, not what is true of a patient or the world.",
                className="shell-footer",
            ),
        ],
        className="shell",
    )  # fmt: skip


def nav_id(path: str) -> str:
    """The id of the navigation link to `path`."""
    return f"shell-nav-{path.strip('/').replace('/', '-') or 'home'}"


def register(app: Dash, pages: Sequence[dict[str, Any]]) -> None:
    """Connect the links; it happens in the browser, as does the theme (assets/theme.js)."""
    app.clientside_callback(
        ClientsideFunction("shell", "link"),
        *[Output(nav_id(page["path"]), "href") for page in pages],
        *[Output(nav_id(page["path"]), "active") for page in pages],
        Input(LINK, "data"),
        Input(VIEW, "data"),
        Input("shell-place", "pathname"),
        Input(BESIDE, "data"),
    )


def guarded(layout: Callable[..., Any]) -> Callable[..., Any]:
    """`layout`, or the sentence why it could not be made: a link may hold anything."""

    def page(**query: Any) -> Any:
        try:
            return layout(**query)
        except Exception as error:
            if not isinstance(error, Refused):
                log.exception("the layout of a page failed")
            return html.Div(
                alert(str(error) if isinstance(error, Refused) else FAILED, dismissable=True), className="page-lost"
            )

    return page


def lost(**query: Any) -> html.Div:
    """The page for an address that is none."""
    return html.Div(
        [
            html.H1("There is no such page"),
            html.P(["Start from the ", dcc.Link("gallery", href="/"), ", or choose a page above."]),
        ],
        className="page-lost",
    )


def on_error(error: Exception) -> None:
    """A callback failed: its sentence, or that the log says more, appears above the page; nothing else changes."""
    if not isinstance(error, Refused):
        log.error("a callback failed", exc_info=error)
    set_props(ALERT, {"children": alert(str(error) if isinstance(error, Refused) else FAILED, dismissable=True)})

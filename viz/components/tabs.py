"""Tabs by the book: one is in the tab order, arrow keys move between them, panels are named by their tab.

dash-bootstrap-components 2.0.4 gives all tabs of a list one id and takes them out of the tab order, so they
cannot be reached by keyboard; `assets/tabs.js` moves these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import dcc, html


def tabs(page: str, label: str, titles: Mapping[str, str], panels: Mapping[str, Any], active: str) -> html.Div:
    """A list of tabs with their panels; the store `<page>-tab` holds the name of the open one.

    Tabs are `<page>-tab-<name>`, panels `<page>-panel-<name>`.
    """
    return html.Div(
        [
            dcc.Store(id=f"{page}-tab", data=active),
            html.Div(
                [_tab(page, name, title, name == active) for name, title in titles.items()],
                role="tablist",
                className="nav nav-tabs",
                **{"aria-label": label},
            ),
            *[
                html.Div(
                    panels[name],
                    id=f"{page}-panel-{name}",
                    role="tabpanel",
                    hidden=name != active,
                    className="tab-body",
                    **{"aria-labelledby": f"{page}-tab-{name}"},
                )
                for name in titles
            ],
        ],
        className="tabs",
    )


def _tab(page: str, name: str, title: str, open_: bool) -> html.Button:
    return html.Button(
        title,
        id=f"{page}-tab-{name}",
        role="tab",
        type="button",
        tabIndex=0 if open_ else -1,
        className="nav-link active" if open_ else "nav-link",
        **{
            "aria-selected": str(open_).lower(),
            "aria-controls": f"{page}-panel-{name}",
            "data-name": name,
            "data-page": page,
        },
    )

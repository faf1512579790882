"""The Dash app whose first answer holds the whole page: layout and answers in the HTML, one script, one style sheet.

A page used to be 75 to 97 requests, most of them a wave of callbacks that each wait for the one before. Here
`first_view` settles that wave and the HTML carries what came of it; assets/first_view.js hands it to Dash's renderer.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from dash import Dash
from dash._utils import to_json
from flask import abort, request

from viz.components.looking import Seen
from viz.server import bundle, first_view
from viz.server.first_view import Callbacks, Settled

if TYPE_CHECKING:
    from backends.store import Store

log = logging.getLogger("vitrine")

THEME = "vitrine-theme"
"""The cookie in which a browser says which theme it shows, so that pictures are drawn for it."""
NOWHERE = ""
"""Stands for the path of the page that is served where there is none."""
MOST_KEPT = 32 * 2**20
"""Bytes of settled pages that are kept."""


@dataclass(frozen=True)
class Kept:
    """A settled page that waits for nothing: the HTML, the same packed, its ETag, and what of the store it shows."""

    content: bytes
    packed: bytes
    tag: str
    seen: Seen


@dataclass(frozen=True)
class Page:
    """One page: its title, what makes its layout of a link's parameters, and the callbacks that may run on it."""

    title: str
    layout: Callable[..., Any]
    specs: Sequence[Mapping[str, Any]]


class PageApp(Dash):
    """A Dash app that sends each page whole. `frame` makes the layout around a page's own."""

    frame: Callable[[Any], Any]

    def prepare(self, pages: Mapping[str, Page], lost: Page, store: Store) -> None:
        """Serve `pages` by their path and `lost` at any other. Call it when all callbacks are registered."""
        self._pages = {**pages, NOWHERE: lost}
        self._store = store
        self._callbacks = {path: Callbacks(page.specs, self.callback_map) for path, page in self._pages.items()}
        self._kept: OrderedDict[tuple[str, bool], Kept] = OrderedDict()
        self._keeping = threading.Lock()
        self._settling = [threading.Lock() for _ in range(16)]
        self._bundle: bundle.Bundle | None = None
        self._said = ""
        for place in (bundle.SCRIPT, bundle.STYLE):
            self.server.add_url_rule(place.format("<digest>"), endpoint=place, view_func=self._file)

    def bundle(self, first: str) -> None:
        """Put all scripts and styles into one file each; call it when Dash has finished its set-up.

        `first` is the script that stands before all others.
        """
        self._said = self._generate_config_html()
        self._bundle = bundle.bundle(self, first, {path: page.specs for path, page in self._pages.items()})

    def _file(self, digest: str) -> Any:
        """The script or the style sheet; an older one, which a page asks for that was open at a restart, is gone."""
        made = self._bundle
        for file in (made.script, made.style) if made else ():
            if file.path == request.path:
                return bundle.serve(file)
        abort(404)

    def index(self, *args: Any, **kwargs: Any) -> Any:
        """The whole page that the address asks for."""
        dark = request.cookies.get(THEME) == "dark"
        where = request.full_path, dark
        kept = self._take(where)
        if kept is None:
            with self._settling[hash(where) % len(self._settling)]:  # a class that opens one link is one settling
                kept = self._take(where) or self._make(where)
        answer = bundle.packed(kept.content, kept.packed, "text/html")
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Vary"] = "Accept-Encoding, Cookie"
        answer.set_etag(kept.tag, weak=True)
        return answer.make_conditional(request)

    def _make(self, where: tuple[str, bool]) -> Kept:
        """The page of this request, which is kept where it stays as it is."""
        dark = where[1]
        settled, path = self._settle(dark)
        made = _pack(self._html(settled, path, dark), settled)
        if settled.whole and _lasts(settled.seen):
            self._keep(where, made)
        return made

    def _settle(self, dark: bool) -> tuple[Settled, str]:
        """The page of this request as the browser begins with it, and its path."""
        path = request.path if request.path in self._pages else NOWHERE
        page = self._pages[path]
        layout = self.frame(page.layout(**parameters(request.query_string.decode("utf-8", "replace"))))
        try:
            return first_view.settle(self._callbacks[path], layout, dark), path
        except Exception:
            log.exception("a page could not be settled, and the browser does it")
            return Settled(layout=to_json(layout), whole=False), path

    def _html(self, settled: Settled, path: str, dark: bool) -> str:
        page = self._pages[path]
        said = {"page": path, "theme": "dark" if dark else "light", "left": settled.left, "ran": sorted(settled.ran)}
        holders = "".join(
            f'<script type="application/json" id="{id}">{_harmless(text)}</script>'
            for id, text in (("first-view", bundle.compact(said)), ("first-layout", settled.layout))
        )
        if self._bundle is None:
            raise RuntimeError("the scripts are not bundled yet")
        script, style = self._bundle.script.path, self._bundle.style.path
        return self.interpolate_index(
            metas=f'<meta charset="UTF-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="preload" as="script" href="{script}">',
            title=escape(page.title),
            css=f'<link rel="stylesheet" href="{style}">',
            config=self._said,
            scripts=f'{holders}<script src="{script}"></script>',
            app_entry=ENTRY,
            favicon='<link rel="icon" href="data:,">',
            renderer=self._generate_renderer(),
        )

    def _take(self, where: tuple[str, bool]) -> Kept | None:
        """The page kept for this address, if all that it shows is still there."""
        with self._keeping:
            kept = self._kept.get(where)
            if kept is not None:
                self._kept.move_to_end(where)
        if kept is None:
            return None
        there = all(map(self._store.has, kept.seen.keys)) and all(map(self._store.has_input, kept.seen.inputs))
        return kept if there else None

    def _keep(self, where: tuple[str, bool], page: Kept) -> None:
        with self._keeping:
            self._kept.pop(where, None)
            self._kept[where] = page
            while sum(len(k.packed) + len(k.content) for k in self._kept.values()) > MOST_KEPT:
                self._kept.popitem(last=False)


def parameters(query: str) -> dict[str, Any]:
    """What an address says after its question mark; a name that comes several times has a list."""
    found = parse_qs(query, keep_blank_values=True)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


ENTRY = '<div id="react-entry-point"><div class="_dash-loading">Loading…</div></div>'
"""Where Dash draws."""


def _pack(html: str, settled: Settled) -> Kept:
    content = html.encode()
    return Kept(content, bundle.pack(content), hashlib.sha256(content).hexdigest()[:32], settled.seen)


def _lasts(seen: Seen) -> bool:
    """Whether a page of this stays as it is while the store keeps what it shows.

    It does where every model ships with Vitrine: a folder may change, and one that is not there may come.
    """
    return bool(seen.models) and all(model.startswith("bundled/") for model in seen.models) and not seen.passing


def _harmless(text: str) -> str:
    """JSON that may stand inside an element: nothing in it ends or begins one."""
    return text.replace("<", "\\u003c")

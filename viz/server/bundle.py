"""The scripts and styles of the app in one file each, named by their content, so that a browser fetches them once."""

from __future__ import annotations

import gzip
import hashlib
import json
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash.fingerprint import check_fingerprint
from flask import Response, request

if TYPE_CHECKING:
    from dash import Dash

SUITES = "/_dash-component-suites/"
SCRIPT = "/_dash-component-suites/dash/dcc/vitrine-{}.js"
"""Where the script lies: Dash's own looks for its further parts beside itself."""
STYLE = "/assets/vitrine-{}.css"
FOREVER = "public, max-age=31536000, immutable"
SOON = ("async-upload.js",)
"""Parts of Dash's own library that nearly every page would fetch at once."""
LATER = "dash_ag_grid"
"""A component library of a megabyte that one page uses: it is fetched when a table is drawn."""
UNUSED = "dash_table"
"""A component library that no page uses."""
STUB = """(function(){
var own=window.dash_ag_grid=window.dash_ag_grid||{},
Late=React.lazy(function(){return new Promise(function(done,failed){var script=document.createElement('script');
script.src=%s;script.onload=function(){done({default:window.dash_ag_grid.AgGrid})};script.onerror=failed;
document.head.append(script)})});
own.AgGrid=function(props){return React.createElement(React.Suspense,{fallback:null},React.createElement(Late,props))};
})();"""
"""Stands for a table until its library is there."""


@dataclass(frozen=True)
class File:
    """One file of the bundle: its address, its bytes, the same packed with gzip, and what it is."""

    path: str
    content: bytes
    packed: bytes
    kind: str


@dataclass(frozen=True)
class Bundle:
    """The script and the style sheet of the app."""

    script: File
    style: File


def bundle(app: Dash, first: str, dependencies: Mapping[str, Any]) -> Bundle:
    """Join what `app` would have the browser fetch one by one.

    `first` is a script that stands before all others; it finds `dependencies`, the callbacks of each page, in
    `window.vitrine.dependencies`. Call it when all callbacks are registered.
    """
    tags = app._generate_scripts_html()
    known = json.dumps(compact(dependencies))
    parts = [f"window.vitrine=window.vitrine||{{}};window.vitrine.dependencies={known};", first]
    parts += [_script(app, source) for source in re.findall(r'<script src="([^"]+)"', tags) if UNUSED not in source]
    parts += [_script(app, f"{SUITES}dash/dcc/{chunk}") for chunk in SOON]
    parts += re.findall(r"<script>(.*?)</script>", tags, re.S)  # what Dash makes of callbacks written in place
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', app._generate_css_dist_html())
    return Bundle(
        _file(SCRIPT, "\n;".join(parts), "text/javascript"),
        _file(STYLE, "\n".join(_text(app, sheet) for sheet in sheets), "text/css"),
    )


def _script(app: Dash, source: str) -> str:
    if LATER in source:
        return STUB % json.dumps(source)
    return re.sub(r"//# sourceMappingURL=.*", "", _text(app, source))


def _text(app: Dash, address: str) -> str:
    """The text of one of the app's own files. Raises `RuntimeError` on an address of none."""
    path = address.split("?", maxsplit=1)[0]
    if path.startswith("/assets/"):
        return (Path(app.config.assets_folder) / path.removeprefix("/assets/")).read_text(encoding="utf-8")
    suite, _, file = path.removeprefix(SUITES).partition("/")
    data = pkgutil.get_data(suite, check_fingerprint(file)[0]) if path.startswith(SUITES) else None
    if data is None:
        raise RuntimeError(f"{address} is no file of the app, and cannot be bundled")
    return data.decode("utf-8")


def _file(path: str, text: str, kind: str) -> File:
    content = text.encode()
    return File(path.format(hashlib.sha256(content).hexdigest()[:16]), content, pack(content), kind)


def pack(content: bytes) -> bytes:
    """Return `content` as gzip, the same at each call."""
    return gzip.compress(content, 6, mtime=0)


def serve(file: File) -> Response:
    """Answer with a file that a browser need not ask for again."""
    answer = packed(file.content, file.packed, file.kind)
    answer.headers["Cache-Control"] = FOREVER
    return answer


def packed(content: bytes, shorter: bytes, kind: str) -> Response:
    """Answer with `content`, or with what it is packed to where the browser takes that."""
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = Response(shorter if takes else content, mimetype=kind)
    answer.headers["Vary"] = "Accept-Encoding"
    if takes:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def compact(value: Any) -> str:
    """Return `value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

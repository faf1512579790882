"""What the evidence page found, to take away: its tables as CSV, and all of it as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.evidence.cells import SOFT
from backends.requests import is_key
from viz.server.downloads import table_csv
from viz.server.maps import Keeper, Missing, attach, lasting, refusal
from viz.server.table_downloads import thumbnail

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.results import Result


def blueprint(store: Keeper) -> Blueprint:
    """The routes `/audits/<key>/csv` and `/audits/<key>/json` over the documents of `store` that hold a `table`."""
    from flask import Blueprint

    routes = Blueprint("audits", __name__)
    routes.register_error_handler(Refused, refusal)

    @routes.get("/audits/<key>/csv")
    def as_csv(key: str) -> Response:
        return _file("".join(csv(found(store, key)["table"])), "text/csv; charset=utf-8", key, "csv")

    @routes.get("/audits/<key>/map")
    def small(key: str) -> Response:
        return lasting(thumbnail(seen(pictured(store, key))), "image/png")

    @routes.get("/audits/<key>/json")
    def as_json(key: str) -> Response:
        return _file(json.dumps(found(store, key), ensure_ascii=False, indent=1), "application/json", key, "json")

    return routes


def checked(key: str) -> str:
    """The key, where it is one. Raises `Missing`."""
    if not is_key(key):
        raise Missing("there is nothing of this key: a key is 64 characters from 0-9 and a-f")
    return key


def pictured(store: Keeper, key: str) -> Result:
    """The map of `key`. Raises `Missing` where there is none."""
    try:
        result = store.get_result(checked(key))
    except Refused as refused:
        raise Missing(str(refused)) from None
    if "attribution" not in result.arrays:
        raise Missing("this result holds no map of its input")
    return result


def seen(result: Result) -> Result:
    """A picture's map as the tests read it: blurred a little, so that what is speckled is seen, too."""
    from scipy.ndimage import gaussian_filter

    values = result.arrays["attribution"]
    if values.ndim != 2:
        return result
    blurred = gaussian_filter(values.astype(np.float32), SOFT * max(values.shape), mode="nearest")
    return dataclasses.replace(result, arrays={**result.arrays, "attribution": blurred})


def found(store: Keeper, key: str) -> Mapping[str, Any]:
    """The document of `key`. Raises `Missing` where there is none with a table."""
    try:
        document = store.get_document(checked(key))
    except Refused as refused:
        raise Missing(str(refused)) from None
    table = document.get("table")
    if not isinstance(table, list) or not all(isinstance(row, Mapping) for row in table):
        raise Missing("there is no such table here; open the page again")
    return document


def csv(table: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as CSV; a row has an empty cell for what only others have."""
    return table_csv(list(dict.fromkeys(name for row in table for name in row)), table)


def _file(content: str, mimetype: str, key: str, kind: str) -> Response:
    from flask import Response

    return attach(Response(content, mimetype=mimetype), "evidence", key, kind)

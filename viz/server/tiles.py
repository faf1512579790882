"""Tiles of one head's attention over a long text: computed by the worker when the browser looks at them, then kept.

The addresses hold the key of the page's result, so that they say which network and input is meant, open no other
network, and never change their meaning. A tile is a map as `viz.server.maps` packs it, its exact numbers are asked for
one by one (`at=row,column`) or as CSV.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.requests import AttentionWindow, key_of
from backends.results import decode_array
from viz.figures.words import visible
from viz.server import maps
from viz.server.downloads import cell

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.jobs.engine import Engine
    from backends.results import Result

PATIENCE = 20.0
"""Seconds that one answer waits for the worker."""
AT_ONCE = 8
"""Answers that wait at a time; the server's other threads are for everybody else."""
MOST_CELLS = 2**20
_RANGE = re.compile(r"(\d{1,7})-(\d{1,7})")
_HEAD = re.compile(r"\d{1,4}|mean")


class Later(Refused):
    """It may be there in a moment: the answer is 503."""


def blueprint(engine: Engine) -> Blueprint:
    """The routes `/maps/<key>/tile`, `/maps/<key>/window.csv` and `/maps/<key>/names`."""
    from flask import Blueprint, Response, request

    routes = Blueprint("tiles", __name__)
    result_of = maps.Recent(engine.store.get_result)
    places = threading.BoundedSemaphore(AT_ONCE)
    routes.register_error_handler(Refused, _refusal)

    def found(key: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return answer(engine, request_for(_about(result_of(key)), options), places)

    @routes.get("/maps/<key>/tile")
    def tile(key: str) -> Response:
        document = found(key, options_of(request.args))
        if "at" in request.args:
            told = {"value": _one(decode_array(document), request.args["at"]), "unit": "probability"}
            return maps.lasting(json.dumps(told).encode(), "application/json")
        return maps.lasting(packed(document), "application/octet-stream")

    @routes.get("/maps/<key>/window.csv")
    def table(key: str) -> Response:
        document = found(key, exact(options_of(request.args)))
        content = csv(_about(result_of(key)), document)
        return maps.attach(Response(content, mimetype="text/csv"), "attention-window", key, "csv")

    @routes.get("/maps/<key>/names")
    def names(key: str) -> Response:
        queries, keys = tokens(_about(result_of(key)))
        told = {"queries": None if queries == keys else _visible(queries), "keys": _visible(keys)}
        return maps.lasting(json.dumps(told, ensure_ascii=False).encode(), "application/json")

    return routes


def answer(engine: Engine, request: Mapping[str, Any], places: threading.BoundedSemaphore) -> dict[str, Any]:
    """The document of `request`, computed if need be. Raises `Later` when that takes too long, or too many wait."""
    key = key_of(request)
    if engine.store.has(key):
        return engine.store.get_document(key)
    if not places.acquire(timeout=1.0):
        raise Later("many people look at long texts just now; this part comes when you look at it again")
    owner = f"tile-{uuid.uuid4().hex}"
    try:
        engine.submit(request, owner, priority=5)
        state = engine.wait(key, PATIENCE)
        if not state.final:
            engine.cancel(key, owner)
            raise Later("the worker is busy, or this part takes long; look at it again in a moment, or at fewer rows")
        if state.status != "done":
            raise Refused(state.message or "this part was not computed; look at it again")
        return engine.store.get_document(key)
    finally:
        places.release()


def options_of(asked: Mapping[str, str]) -> dict[str, Any]:
    """A window's options from an address. Raises `Refused`."""
    layer, head = asked.get("layer", ""), asked.get("head", "")
    if not re.fullmatch(r"\d{1,4}", layer) or not _HEAD.fullmatch(head):
        raise Refused("a tile is of one head: layer=<number>&head=<number or mean>")
    flags = {name: asked.get(name, "1") != "0" for name in ("sink", "special")}
    options = head_options(int(layer), int(head) if head.isdigit() else head, **flags)
    for name in ("rows", "keys"):
        if name in asked:
            given = _RANGE.fullmatch(asked[name])
            if not given:
                raise Refused(f"{name}={asked[name][:30]!r} is no range: write first-end, such as {name}=0-256")
            options[name] = [int(given[1]), int(given[2])]
    if "size" in asked:
        if not re.fullmatch(r"\d{1,7},\d{1,7}", asked["size"]):
            raise Refused(
                f"size={asked['size'][:30]!r} is not two numbers, cells down and across, such as size=256,256"
            )
        options["size"] = [int(n) for n in asked["size"].split(",")]
    return options


def packed(document: Mapping[str, Any]) -> bytes:
    """A window as a map for the canvas, by its square root; the header says which rows and keys it is of."""
    values = decode_array(document)
    codes, how = maps.quantise(values, signed=False, sqrt=True)
    header = {
        "shape": list(values.shape),
        "full": [document["rows"][1] - document["rows"][0], document["keys"][1] - document["keys"][0]],
        "pooled": document["steps"],
        "rows_range": document["rows"],
        "keys_range": document["keys"],
        "unit": "probability",
        "axes": ["query", "key"],
        "rows": None,
        "columns": None,
        "hidden": hidden(document),
        **how,
    }
    return maps.message(header, codes)


def hidden(document: Mapping[str, Any]) -> str:
    """What takes no part in a window."""
    kinds = ["first key token"] * (not document["sink"]) + ["special tokens"] * (not document["special"])
    return " and ".join(kinds)


def exact(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a window in which every cell is one weight. Raises `Refused` where there would be very many."""
    if not options["rows"] or not options["keys"]:
        raise Refused("a file of exact weights is of a window: rows=<first>-<end>&keys=<first>-<end>")
    size = [options[name][1] - options[name][0] for name in ("rows", "keys")]
    if min(size) < 1 or size[0] * size[1] > MOST_CELLS:
        raise Refused(
            f"a window of {size[0]:,} × {size[1]:,} weights does not fit into a file of at most {MOST_CELLS:,}: "
            "zoom in, or name fewer rows and keys"
        )
    return {**options, "size": size}


def csv(result: Result, document: Mapping[str, Any]) -> Iterator[str]:
    """A window's weights with the names of their tokens, one line each."""
    queries, keys = ([cell(name) for name in names] for names in tokens(result))
    (a, b), (c, d) = document["rows"], document["keys"]
    values = decode_array(document)
    yield "query,query label,key,key label,weight (probability)\r\n"
    for q in range(a, b):
        line = values[q - a].tolist()
        yield "".join(f"{q},{queries[q]},{k},{keys[k]},{np.float32(line[k - c])}\r\n" for k in range(c, d))


def _visible(names: tuple[str, ...]) -> list[str]:
    return [visible(name, 24) for name in names]


def _about(result: Result) -> Result:
    """An attention result, whose head may be asked for more. Raises `Missing`."""
    if result.method != "attention" or "all_head" not in result.labels or not result.request.get("input"):
        raise maps.Missing("this result is not the attention of an input, so there is nothing more to read of it")
    return result


def _one(values: np.ndarray, at: str) -> float:
    places = re.fullmatch(r"(\d{1,7}),(\d{1,7})", at)
    if not places or int(places[1]) >= values.shape[0] or int(places[2]) >= values.shape[1]:
        raise Refused(f"at={at[:30]!r} is not a cell: write row,column below {values.shape[0]},{values.shape[1]}")
    return float(values[int(places[1]), int(places[2])])


def _refusal(error: Refused) -> Response:
    told = maps.refusal(error)
    if isinstance(error, Later):
        told.status_code = 503
        told.headers["Retry-After"] = "2"
    return told


def request_for(result: Result, options: Mapping[str, Any]) -> dict[str, Any]:
    """The job for one window of the network and input that `result` is about."""
    asked = result.request
    part = {"part": asked["options"].get("part", "")} if asked.get("options") else {"part": ""}
    about = {name: asked.get(name, "") for name in ("model", "revision", "input")}
    return AttentionWindow(**about, options={**part, **options}).plain()


def head_options(layer: int, head: int | str, sink: bool = True, special: bool = True) -> dict[str, Any]:
    """The options of the whole map of one head; `sink` and `special` say whether these tokens take part."""
    return {
        "layer": layer, "head": head, "rows": None, "keys": None, "size": None, "sink": sink, "special": special
    }  # fmt: skip


def address(key: str, layer: int, head: int | str, sink: bool = True, special: bool = True) -> str:
    """Where the windows of one head are; `rows`, `keys` and `size` follow."""
    return f"/maps/{key}/tile?layer={layer}&head={head}&sink={int(sink)}&special={int(special)}"


def tokens(result: Result) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all queries and keys of an attention result, also where it holds some rows only."""
    keys = result.labels["key"]
    return result.labels.get("all_query", keys), keys

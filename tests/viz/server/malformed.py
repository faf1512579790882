"""Requests that no page sends, from a seed: pages with hostile links, files with hostile names, callbacks with hostile
values, and bytes that are no request at all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from backends.inputs import datasets
from backends.requests import key_of
from backends.store import Store
from tests.viz import causal_samples, paintings, samples
from tests.viz.fakes import FILM, NAMES, TRIAGE

BAD = (
    "", " ", "\x00", "\n", "\r\nX: y", "a" * 300, "a" * 5000, "../../etc/passwd", "/etc/passwd", "/proc/self/environ",
    "~root", "~nobody-here/x", "..\\..\\x", "%00", "%2e%2e%2f", "<script>alert(1)</script>",
    "'\"><img src=x onerror=1>",
    "{{7*7}}", "${7*7}", "\ud800", "\u202eabc", "😀" * 50, "-1", "0", "1e309", "NaN", "Infinity", "9" * 30, "9" * 5000,
    "٣", "0x10", "null", "true", "[]", "{}", "[[[[", '{"a":1}', "a=b&c=d", "*", "mean", "0,0", "*,*", "0,0,0,0,0,0,0,0",
    "99999999", "bundled/triage", "bundled/nothing", "bundled/../../../etc", "bundled/triage?dtype=float99",
    "bundled/triage?device=cuda:99", "gpt2", "org/name", "file:///etc/passwd", "http://127.0.0.1:22/",
    "//evil.example/x", "\x1b[31mred", "SELECT * FROM x", "(a+)+$", "a" * 63 + "g", "A" * 64, "0" * 64,
)  # fmt: skip
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, 10**400, "", "x", "\ud800", "\x00", "a" * 10000, [], {}, [None], [[]],
    {"a": None}, {"keys": None}, {"keys": {"x": "z"}}, {"keys": {"model": "0" * 64}}, {"sentences": 3},
    {"digest": None},
    {"digest": "0" * 64}, [1, 2, 3], {"name": 3, "offers": None}, {"text": ["a"]}, "data:;base64,AAAA",
    "data:image/png;base64,%%%%", {"job": "run"}, {"job": ["x"]}, {"model": {"job": "open"}},
    {"x": {"job": "open", "model": None}}, {"a": {"b": {"c": {"d": {}}}}},
)  # fmt: skip
PAGES = ("/", "/attention", "/attribution", "/trajectory", "/causal", "/evidence", "/data", "/diffusion", "/model",
         "/_dash-layout", "/nothing")  # fmt: skip
NAMED = (
    "model", "input", "text", "pair", "output", "target", "sequence", "tab", "position", "tokens", "methods", "options",
    "mask", "by", "layer", "head", "token", "data", "run", "filter", "method", "seed", "steps", "generated", "step",
    "clean", "corrupted", "circuit", "find", "label", "outcome", "prompt", "word", "words", "colour", "token",
)  # fmt: skip
ARRAYS = ("pattern", "attribution", "image", "path", "similarity", "norm", "probability", "rank", "token", "effect",
          "heat", "map", "span", "by_step", "frames", "nonsense", "sprite")  # fmt: skip
ASKED = ("at", "size", "cell", "grid", "sqrt", "sink", "array", "layer", "head", "rows", "keys", "special", "words",
         "first", "last", "step", "scale", "part")  # fmt: skip
PLACES = ("0", "1", "0,0", "0,0,0,0", "0-4", "0-9", "mean", "*")


class Ask(NamedTuple):
    """One request: what kind of hostility, and what is sent."""

    kind: str
    method: str
    path: str
    body: bytes | None = None
    mimetype: str = "application/json"


class Kept(NamedTuple):
    """What a store holds for the requests to name."""

    keys: tuple[str, ...]
    inputs: tuple[dict[str, Any], ...]
    tables: tuple[str, ...]


def fill(store: Store) -> Kept:
    """Put a result of every kind, inputs and a table with answers into `store`."""
    made = [
        samples.attention(), samples.text_attribution(), samples.image_attribution(), samples.lens(),
        samples.trajectory(), samples.parts(), causal_samples.grid(), causal_samples.logit_attribution(),
        causal_samples.competition(), causal_samples.circuit(), causal_samples.statistics(), causal_samples.changes(),
        paintings.drawing(),
    ]  # fmt: skip
    keys = []
    for number, result in enumerate(made):
        keys.append(key_of({"made": number}))
        store.put_result(keys[-1], result)
    given = []
    for raw in ({"text": samples.SENTENCE}, {"text": "a", "pair": "b"}):
        given.append({"digest": store.put_input(raw), **raw})
    rows = datasets.open_files([("x.csv", b"text,label\nno fever,routine\nsevere pain,urgent\n")])
    table = datasets.keep(store, rows)
    answer = {"predicted": "urgent", "probability": 0.9, "label": None, "of_label": None, "right": None, "problem": ""}
    document = {"model": "bundled/triage", "data": table, "rows": [answer] * 2, "summary": {"answered": 2}}
    for card in (TRIAGE, FILM, NAMES, document):
        keys.append(key_of({"kept": len(keys)}))
        store.put_document(keys[-1], card)
    return Kept(tuple(keys), tuple(given), (table,))


def pages(rng: random.Random, count: int) -> Iterator[Ask]:
    """Pages whose links name what is not there."""
    for _ in range(count):
        query = "&".join(f"{rng.choice(NAMED)}={_quoted(rng.choice(BAD))}" for _ in range(rng.randint(1, 6)))
        yield Ask("page", "GET", f"{rng.choice(PAGES)}?{query}")


def files(rng: random.Random, count: int, kept: Kept, rules: list[str]) -> Iterator[Ask]:
    """Files below every route of `rules` with placeholders, one in four of them filled with something hostile."""
    there = [rule for rule in rules if "<" in rule and "_dash" not in rule and rule != "/<path:path>"]
    everything = [*kept.keys, *(given["digest"] for given in kept.inputs), *kept.tables]
    values = {
        "key": everything, "digest": everything, "array": ARRAYS, "model": ("triage", "radiograph", "names", "scenes"),
        "kind": ("csv", "json", "html", "safetensors", "gif", "zip", "map"),
    }  # fmt: skip
    for _ in range(count):
        path = rng.choice(there)
        while "<" in path:
            before, _, rest = path.partition("<")
            name, _, after = rest.partition(">")
            plain = str(rng.choice(values.get(name.rpartition(":")[2], range(7))))
            path = before + (_quoted(rng.choice(BAD) or "x") if rng.random() < 0.25 else plain) + after
        query = "&".join(
            f"{rng.choice(ASKED)}={_quoted(rng.choice((*BAD, *PLACES)))}" for _ in range(rng.randint(0, 3))
        )
        yield Ask("file", "GET", path + ("?" + query if query else ""))


def callbacks(rng: random.Random, count: int, kept: Kept, known: list[dict[str, Any]]) -> Iterator[Ask]:
    """What a page sends for the callbacks that are `known`, with one to four of its values spoilt."""
    served = [spec for spec in known if not spec.get("clientside_function")]
    for _ in range(count):
        body = json.loads(json.dumps(sent(rng, rng.choice(served), kept)))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            spoil(rng, body)
        yield Ask("callback", "POST", "/_dash-update-component", json.dumps(body).encode())


def sent(rng: random.Random, spec: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """The body that a browser sends for a callback, with values that a page might hold."""
    out = spec["output"]
    several = out.startswith("..")
    outputs = [_output(one) for one in (out[2:-2].split("...") if several else [out])]
    asked = [_part(rng, part, kept) for part in spec["inputs"]]
    changed = next((f"{p['id']}.{p['property']}" for p in asked if isinstance(p, dict)), "")
    return {
        "output": out, "outputs": outputs if several else outputs[0], "inputs": asked,
        "changedPropIds": [changed], "state": [_part(rng, part, kept) for part in spec.get("state", [])],
    }  # fmt: skip


def _output(written: str) -> dict[str, Any]:
    id, _, name = written.rpartition(".")
    return {"id": json.loads(id) if id.startswith("{") else id, "property": name.partition("@")[0]}


def _part(rng: random.Random, part: dict[str, Any], kept: Kept) -> Any:
    if str(part["id"]).startswith("{"):
        return []
    id, prop = part["id"], part["property"]
    return {"id": id, "property": prop, "value": _value(rng, str(id), prop, kept)}


def _value(rng: random.Random, id: str, prop: str, kept: Kept) -> Any:
    """A value that this property of a page might hold."""
    if prop == "data":
        if id.endswith("-card"):
            return rng.choice((TRIAGE, FILM, NAMES))
        if id.endswith("-input") or id.endswith("-clean") or id.endswith("-corrupted"):
            return rng.choice(kept.inputs)
        if id.endswith("-table"):
            return {"id": kept.tables[0], "example": "", "kind": "text", "name": "x", "count": 2, "notes": [],
                    "columns": ["text", "label"], "choices": ["text", "label"], "labels": ["urgent"]}  # fmt: skip
        if id.endswith("-answers"):
            names = ("x", "model", "map", "0", "run", "table", "predict", "occlusion")
            keys = {rng.choice(names): rng.choice(kept.keys) for _ in range(3)}
            return {"asked": keys, "keys": keys, "sentences": {}, "again": []}
        if id.endswith("-requests"):
            return {"x": {"job": rng.choice(("open", "run", "predict", "table")), "model": "bundled/triage"}}
        return rng.choice((None, {}, [], "x", {"name": "occlusion"}, rng.choice(kept.keys)))
    if prop in ("n_clicks", "n_intervals", "n_submit"):
        return rng.choice((None, 1))
    return rng.choice((None, "x", "occlusion", 1, ["x"], "bundled/triage", True))


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a JSON value."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield from walk(inner, (*path, name))


def spoil(rng: random.Random, body: dict[str, Any]) -> None:
    """Put something hostile at some place of `body`, most often where a page's value is, or leave something out."""
    there = list(walk(body))
    values = [path for path in there if "value" in path]
    path = rng.choice(values) if values and rng.random() < 0.8 else rng.choice(there)
    if not path:
        return
    at: Any = body
    for step in path[:-1]:
        at = at[step]
    kind = rng.random()
    if isinstance(at, dict) and kind > 0.85:
        del at[path[-1]]
    else:
        at[path[-1]] = json.loads(json.dumps(rng.choice(JUNK if rng.random() < 0.6 else BAD)))


def bodies() -> Iterator[Ask]:
    """Bodies that are no callback."""

    def deep(n: int) -> bytes:
        return b'{"a":' * n + b"1" + b"}" * n

    whole = [
        b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b"{}" * 1000, deep(200), deep(100_000), b"[" * 100_000,
        b'{"output":null}', b'{"output":"x.y"}', b'{"output":"..","inputs":[]}', b'{"a":1e999}', b'{"output": {"a":1}}',
        json.dumps({"output": "x" * 100_000}).encode(), json.dumps({"output": "\ud800.x"}).encode(), b'{"__proto__":1}',
        b'{"output":"9","inputs":' + b"9" * 5000 + b"}",
        b'{"output": "shell-alert.children", "outputs": {"id":"shell-alert","property":"children"}, "inputs": []}',
    ]  # fmt: skip
    yield from (Ask("body", "POST", "/_dash-update-component", body) for body in whole)
    for mimetype in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "", "multipart/form-data"):
        yield Ask("body", "POST", "/_dash-update-component", b"{}", mimetype)


def methods(rules: list[str]) -> Iterator[Ask]:
    """Every route with the methods that it has not."""
    for rule in rules:
        path = rule.replace("<path:", "<").replace("<int:", "<").replace("<", "1").replace(">", "")
        yield from (Ask("method", how, path) for how in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST"))


def raw() -> Iterator[bytes]:
    """Bytes on the wire that are no request, or one that another server would take for another."""
    host = b"Host: 127.0.0.1\r\n"
    post = b"POST /_dash-update-component HTTP/1.1\r\n" + host
    get = b"GET / HTTP/1.1\r\n" + host
    yield from [
        b"\x00\xff\xfe garbage\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n" + host + b"\r\n",
        b"GET http://evil/ HTTP/1.1\r\nHost: evil\r\n\r\n", get + b"Content-Length: -5\r\n\r\n",
        get + b"Content-Length: abc\r\n\r\n", post + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n12345",
        post + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n", post + b"Transfer-Encoding: gzip\r\n\r\n",
        post + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n" + host + b"\r\n", get + b"X: " + b"b" * 300_000 + b"\r\n\r\n",
        get + b"X: y\r\n" * 5000 + b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \x00\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\n" + host + b"\r\n", b"GET /..%2f..%2fetc/passwd HTTP/1.1\r\n" + host + b"\r\n",
        *(b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\n" for path in (
            b"/assets/..%2f..%2fapp.py", b"/assets/../app.py", b"/assets/%2e%2e/%2e%2e/etc/passwd",
            b"/_dash-component-suites/dash/../../../../etc/passwd", b"/_dash-component-suites/os/x.js",
            b"/_dash-component-suites/dash/dash.py", b"/examples/names/" + b"9" * 5000,
            b"/examples/..%2f..%2f..%2fetc/0", b"//evil.example/x", b"/\\evil.example")),
        *(how + b" / HTTP/1.1\r\n" + host + b"Content-Length: 0\r\n\r\n" for how in (
            b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"CONNECT", b"FOO", b"get")),
        post + b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        post + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 4\r\n\r\n--x\r",
        post + b"Content-Type: application/json; charset=utf-7\r\nContent-Length: 2\r\n\r\n{}",
        get + b"Range: bytes=0-,1-,2-\r\nIf-None-Match: " + b"x" * 5000 + b"\r\nAccept-Encoding: " + b"gzip," * 2000
        + b"\r\n\r\n",
        b"GET /_favicon.ico HTTP/1.1\r\n" + host + b"If-Modified-Since: nonsense\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + host + b"Cookie: " + b"a=b;" * 3000 + b"\r\n\r\n",
    ]  # fmt: skip


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def leaks(text: str, *private: str) -> list[str]:
    """What of the server's inside stands in an answer: traces, and paths of its disk."""
    root = str(Path(__file__).parents[3])
    return [mark for mark in ("Traceback (most recent", 'File "/', "site-packages", root, *private) if mark in text]

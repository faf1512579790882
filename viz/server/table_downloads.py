"""A table to take away, as CSV, JSON or a zip, and the small maps in its rows."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.inputs import datasets
from backends.requests import is_key
from viz import theme
from viz.figures.scale import limits
from viz.server.downloads import cell, table_csv
from viz.server.maps import Missing, attach, lasting, refusal

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.results import Result
    from backends.store import Store

COLUMNS = (
    "row",
    "name",
    "text",
    "label",
    "predicted",
    "probability",
    "probability_of_label",
    "right",
    "problem",
    "input",
)
THUMB = 96


def blueprint(store: Store) -> Blueprint:
    """The routes `/tables/<key>/csv`, `json` (a table), `zip` (a method over it) and `map` (of one row)."""
    from flask import Blueprint

    routes = Blueprint("tables", __name__)
    routes.register_error_handler(Refused, refusal)

    @routes.get("/tables/<key>/csv")
    def as_csv(key: str) -> Response:
        return _file("".join(csv(rows(store, _checked(key)))), "text/csv; charset=utf-8", key, "csv")

    @routes.get("/tables/<key>/json")
    def as_json(key: str) -> Response:
        listed = rows(store, _checked(key))
        found = store.get_document(key)
        about = {"model": found.get("model"), "summary": found["summary"], "rows": listed}
        return _file(json.dumps(about, ensure_ascii=False, indent=1), "application/json", key, "json")

    @routes.get("/tables/<key>/zip")
    def as_zip(key: str) -> Response:
        return _file(packed(store, store.get_result(_checked(key))), "application/zip", key, "zip")

    @routes.get("/tables/<key>/map")
    def small(key: str) -> Response:
        return lasting(thumbnail(store.get_result(_checked(key))), "image/png")

    return routes


def _checked(key: str) -> str:
    if not is_key(key):
        raise Missing("there is no such table: its key is 64 characters from 0-9 and a-f")
    return key


def _file(content: str | bytes, mimetype: str, key: str, kind: str) -> Response:
    from flask import Response

    return attach(Response(content, mimetype=mimetype), "table", key, kind)


def rows(store: Store, key: str) -> list[dict[str, Any]]:
    """The rows of the answered table `key`, each with all of `COLUMNS`. Raises `Refused`."""
    answers = store.get_document(key)
    if "summary" not in answers or "data" not in answers:
        raise Missing("there is no such table here; open the page again")
    given = datasets.fetch(store, answers["data"])["rows"]
    return [_row(i, a, b) for i, (a, b) in enumerate(zip(given, answers["rows"], strict=True), 1)]


def write(out: Path, data: datasets.Dataset, answers: Mapping[str, Any]) -> None:
    """`table.csv` and `table.json` of a table that a script answered."""
    given = [{"name": r.name, "label": r.label, "text": r.raw.get("text"), "digest": None} for r in data.rows]
    found = [_row(i, a, b) for i, (a, b) in enumerate(zip(given, answers["rows"], strict=True), 1)]
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.csv").write_text("".join(csv(found)), encoding="utf-8", newline="")
    about = {"summary": answers["summary"], "rows": found}
    (out / "table.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def _row(number: int, given: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "row": number, "name": given["name"], "text": given.get("text"), "label": answer["label"] or given["label"],
        "predicted": answer["predicted"], "probability": answer["probability"],
        "probability_of_label": answer["of_label"], "right": answer["right"], "problem": answer["problem"],
        "input": given["digest"],
    }  # fmt: skip
    return {name: found[name] for name in COLUMNS}


def csv(found: list[dict[str, Any]]) -> Iterator[str]:
    """The rows as CSV, without the columns that are empty in all of them."""
    return table_csv([c for c in COLUMNS if any(r[c] not in (None, "") for r in found)], found)


def thumbnail(result: Result) -> bytes:
    """The map of one row over its picture, on its own scale, as a small PNG."""
    from PIL import Image

    values = result.arrays.get("attribution")
    if values is None or values.ndim not in (1, 2):
        raise Missing("this result holds no map of its input")
    if values.ndim == 1:
        raise Missing("this row is a text: it has no map")
    low, high = limits(values, result.signed)
    table = theme.table(theme.colour_map(result.signed))
    where = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0, 1)
    colours = table[np.rint(where * 255).astype(int)].astype(np.float32)  # (height, width, 3)
    strength = (np.abs(2 * where - 1) if result.signed else where)[..., None] * 0.8
    image = result.arrays["image"].astype(np.float32) if "image" in result.arrays else np.full_like(colours, 255)
    picture = Image.fromarray((image * (1 - strength) + colours * strength).clip(0, 255).astype(np.uint8))
    picture = picture.resize((THUMB, max(1, round(THUMB * picture.height / picture.width))))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def packed(store: Store, mean: Result) -> bytes:
    """A zip of a method over a table: the mean, and each row's values, as JSON for texts and as .npy for pictures."""
    keys, file = mean.facts.get("keys"), io.BytesIO()
    if not isinstance(keys, dict):
        raise Missing("there is no such table here; open the page again")
    given = datasets.fetch(store, mean.request["data"])["rows"]
    index, lost = [], dict(mean.facts["problems"])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, key in keys.items():
            try:
                result = store.get_result(key)
            except Refused as refused:
                lost[i] = str(refused)
                continue
            name = f"rows/{int(i) + 1:05}"
            facts = {"row": int(i) + 1, "name": given[int(i)]["name"], "label": given[int(i)]["label"]}
            facts |= {"explained": result.target, "prediction": result.facts.get("prediction", [])[:1], "result": key}
            index.append(facts)
            _write_row(archive, name, result, facts)
        about = {
            "method": mean.method, "request": dict(mean.request), "unit": mean.unit, "explained": mean.target,
            "rows": index, "problems": {str(int(i) + 1): why for i, why in lost.items()},
        }  # fmt: skip
        archive.writestr("about.json", json.dumps(about, ensure_ascii=False, indent=1))
        _write_mean(archive, mean)
    return file.getvalue()


def _write_row(archive: zipfile.ZipFile, name: str, result: Result, facts: Mapping[str, Any]) -> None:
    values = result.arrays["attribution"]
    if values.ndim == 2:
        archive.writestr(f"{name}.npy", _npy(values))
        archive.writestr(f"{name}.png", thumbnail(result))
    else:
        tokens = [[t, round(float(v), 6)] for t, v in zip(result.labels["token"], values, strict=True)]
        archive.writestr(f"{name}.json", json.dumps({**facts, "tokens": tokens}, ensure_ascii=False))


def _write_mean(archive: zipfile.ZipFile, mean: Result) -> None:
    if "attribution" in mean.arrays:
        archive.writestr("mean.npy", _npy(mean.arrays["attribution"]))
        archive.writestr("mean.png", thumbnail(mean))
        return
    lines = ["word,mean,count,rows\r\n"]
    columns = (mean.arrays[n].tolist() for n in ("mean", "count", "rows"))
    lines += [f"{cell(w)},{m:.6g},{c},{r}\r\n" for w, m, c, r in zip(mean.labels["word"], *columns, strict=True)]
    archive.writestr("words.csv", "\ufeff" + "".join(lines))


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()

"""What the browser fetches of a generated picture: its words' maps, what is true of it, its stages, and a GIF of all.

A message is `<header length, 4 bytes little-endian><header, JSON><values>` as in `viz.server.maps`; word maps are
float32, so that every number can be read without asking again.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from viz import theme
from viz.figures import word_maps as landing
from viz.figures.image_heat import png
from viz.figures.word_maps import Part
from viz.server.maps import Keeper, Missing, Recent, attach, lasting, message, refusal

if TYPE_CHECKING:
    from flask import Blueprint, Response
    from PIL.Image import Image

    from backends.results import Result

TILE = 144
"""Pixels of one picture in the GIF."""
MOST_TILES = 12
HOLD = 2500
"""Milliseconds that the last frame of the GIF stays."""


def blueprint(store: Keeper) -> Blueprint:
    """The routes `/maps/<key>/words`, `/maps/<key>/truth`, `/maps/<key>/stage` and `/results/<key>/gif`."""
    from flask import Blueprint, request

    routes = Blueprint("paintings", __name__)
    result_of = Recent(store.get_result)
    routes.register_error_handler(Refused, refusal)

    def painting(key: str) -> Result:
        result = result_of(key)
        if "map" not in result.arrays or "word" not in result.labels:
            raise Missing("this result is no generated picture")
        return result

    @routes.get("/maps/<key>/words")
    def words(key: str) -> Response:
        return lasting(word_maps(painting(key), landing.part_of(request.args)), "application/octet-stream")

    @routes.get("/maps/<key>/truth")
    def truth(key: str) -> Response:
        return lasting(true_masks(painting(key)), "application/octet-stream")

    @routes.get("/maps/<key>/stage")
    def stage(key: str) -> Response:
        return lasting(
            png(stage_of(painting(key), landing.part_of({"first": request.args.get("at")}).first)), "image/png"
        )

    @routes.get("/results/<key>/gif")
    def animation(key: str) -> Response:
        answer = lasting(gif(painting(key), request.args.get("words", "")), "image/gif")
        return attach(answer, "daam", key, "gif")

    return routes


def word_maps(result: Result, part: Part) -> bytes:
    """All words' maps of a part, float32 (word, row, column), with `words`, `shape`, `full`, `unit` and `part`."""
    maps = landing.maps_of(result, part)
    small = np.ascontiguousarray(landing.pooled(maps), np.float32)
    header = {
        "shape": list(small.shape),
        "full": list(maps.shape),
        "words": list(result.labels["word"]),
        "unit": result.unit,
        "part": landing.told(result, part),
    }
    return message(header, small)


def true_masks(result: Result) -> bytes:
    """The masks of what is known of the picture, uint8 (word, row, column); `rows` says which words they are of."""
    there = {at: mask for at, mask in landing.truth(result).items() if mask is not None}
    stacked = np.stack(list(there.values())) if there else np.zeros((0, 1, 1))
    return message({"shape": list(stacked.shape), "rows": list(there)}, stacked.astype(np.uint8))


def stage_of(result: Result, step: int) -> np.ndarray:
    """The picture after `step` steps, or the kept stage nearest to it; the finished one where none was kept."""
    kept = landing.stages(result)
    if not kept or step >= kept[-1]:
        return result.arrays["image"]
    nearest = min(range(len(kept)), key=lambda n: abs(kept[n] - step))
    return result.arrays["frames"][nearest]


def gif(result: Result, chosen: str = "") -> bytes:
    """The forming picture, and beside it each word's map summed up to that step, as an animated GIF.

    `chosen` names words as `viz.figures.word_maps.known` does, comma-separated; empty: those that name or describe
    something.
    """
    names = landing.known(result.labels["word"])
    rows = [names.index(n) for n in chosen.split(",") if n in names] or landing.content(result.labels["word"])
    rows = (rows or list(range(len(names))))[: MOST_TILES - 1]
    frames = [_frame(result, rows, step) for step in landing.stages(result) or [int(result.facts.get("steps", 1))]]
    file = io.BytesIO()
    lasting_ms = [160] * (len(frames) - 1) + [HOLD]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=lasting_ms, loop=0)
    return file.getvalue()


def _frame(result: Result, rows: Sequence[int], step: int) -> Image:
    """One frame: the picture after `step`, and each word's map over it, on one scale for the whole film."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(stage_of(result, step)).convert("RGB")
    size = _tile(*picture.size)
    picture = picture.resize(size, Image.Resampling.BICUBIC if picture.width > size[0] else Image.Resampling.NEAREST)
    whole = result.arrays["map"]
    maps = whole
    if "by_step" in result.arrays:
        count = sum(int(n) <= step for n in result.labels["step"])
        maps = result.arrays["by_step"][:, :count].sum(1)
    tiles = [(f"step {step}", picture)]
    tiles += [(result.labels["word"][r], laid_over(picture, maps[r], float(whole[list(rows)].max()))) for r in rows]
    across = min(len(tiles), 4 if len(tiles) > 3 else len(tiles))
    down = -(-len(tiles) // across)
    film = Image.new("RGB", (across * (size[0] + 6) + 6, down * (size[1] + 22) + 6), "white")
    pen = ImageDraw.Draw(film)
    for at, (words, tile) in enumerate(tiles):
        x, y = 6 + at % across * (size[0] + 6), 18 + at // across * (size[1] + 22)
        pen.text((x, y - 14), words.encode("latin-1", "replace").decode("latin-1")[:22], fill="black")
        film.paste(tile, (x, y))
    return film.quantize(128)


def _tile(width: int, height: int) -> tuple[int, int]:
    """A size of about `TILE` with the picture's shape."""
    by = TILE / max(width, height)
    return max(round(width * by), 1), max(round(height * by), 1)


def laid_over(picture: Image, one: np.ndarray, high: float, opacity: float = 0.85) -> Image:
    """A map over a picture: colours and opacity follow the value from 0 to `high`; each place as it is."""
    from PIL import Image

    share = np.clip(one / (high or 1.0), 0, 1)
    colours = theme.table(theme.colour_map(signed=False))[np.rint(255 * share).astype(int)]
    over = Image.fromarray(colours.astype(np.uint8)).resize(picture.size, Image.Resampling.NEAREST)
    alpha = Image.fromarray(np.uint8(255 * opacity * share)).resize(picture.size, Image.Resampling.NEAREST)
    return Image.composite(over, picture, alpha)


def notes(result: Result) -> list[str]:
    """What is to be said of a drawing beside its picture."""
    facts: Mapping[str, Any] = result.facts
    said = list(facts.get("notes", []))
    rows, columns = result.arrays["map"].shape[1:]
    height, width = result.arrays["image"].shape[:2]
    said.append(
        f"{height} × {width} pixels, seed {facts['seed']}, {facts['steps']} steps, guidance {facts['guidance']:g}; "
        f"maps of {rows} × {columns} places, {facts['mode']}"
    )
    return said

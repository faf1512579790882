"""Make the pictures of the gallery's cards from the bundled models: `python docs/covers.py` (`make covers`).

Each is a real map of the card's example, by the first method whose receipt holds. Maps over images go to
`assets/covers/<model>.webp`; coloured texts, and what each picture shows, to `viz/pages/gallery/covers.json`, with the
revision of the model: a test fails where that is another.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PICTURES = ROOT / "assets" / "covers"
TOLD = ROOT / "viz" / "pages" / "gallery" / "covers.json"
OF_TEXTS = ("integrated_gradients", "occlusion", "shapley_sampling")
OF_IMAGES = ("hires_cam", "occlusion", "grad_cam", "integrated_gradients")
"""What is tried; of images the smooth maps first, which are seen in small."""
TILE = 176
"""Pixels of one tile."""
GAP = 4
QUALITY = 82
WORDS = 2
"""Maps beside a drawing."""


def main() -> int:
    """Make every card's picture and write what it shows."""
    import backends
    from backends import catalog

    PICTURES.mkdir(exist_ok=True)
    told = {}
    for card in catalog.bundled():
        model = backends.open_model(card["name"])
        made = draw_words(model, card) if card["task"] == "text-to-image" else draw_map(model, card)
        told[card["name"]] = {"revision": catalog.resolve(card["name"]).revision, **made}
        print(card["name"], made["says"])
    TOLD.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def draw_map(model: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """The map of the card's example by the first method whose receipt holds; the first method's where none does."""
    import backends
    from backends import catalog, registry

    example = card["examples"][card.get("cover", 0)]
    image = card["task"].startswith("image")
    raw = {"image": str(catalog.shipped(card["name"]) / example["input"])} if image else {"text": example["input"]}
    target = example["target"][0] if isinstance(example["target"], list) else example["target"]
    fitting = [m for m in (OF_IMAGES if image else OF_TEXTS) if registry.method(m).needs <= model.offers]
    tried = [backends.run(model, method, raw, target=target) for method in fitting]
    result = next((r for r in tried if backends.evidence.receipt(model, r).verdict == "holds"), tried[0])
    title = registry.method(result.method).title
    said = {"says": f"{title}: what spoke for “{result.target}” (red) and against it (blue) in “{example['name']}”"}
    return said | (lay_over(result, raw["image"], card) if image else colour(result, card, target))


def lay_over(result: Any, path: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """The film, and beside it the film in grey with the map over it, as one picture."""
    from viz import theme

    with Image.open(path) as file:
        film = file.convert("RGB").resize((TILE, TILE), Image.Resampling.BICUBIC)
    values = result.arrays["attribution"].astype(np.float32)
    high = float(np.abs(values).max()) or 1.0
    share = np.asarray(Image.fromarray(values / high).resize((TILE, TILE), Image.Resampling.BICUBIC)).clip(-1, 1)
    table = theme.table(theme.colour_map(result.signed))
    codes = np.rint(255 * ((share + 1) / 2 if result.signed else share.clip(0, 1))).astype(int)
    alpha = Image.fromarray(np.uint8(217 * np.abs(share)))
    over = Image.composite(Image.fromarray(table[codes]), film, alpha)
    return {"picture": save([film, over], card)}


def colour(result: Any, card: Mapping[str, Any], target: str) -> dict[str, Any]:
    """The text's pieces with their colours, and the answer."""
    from viz.figures.token_strip import token_colours

    pieces = [[p.text, p.colour if p.value is not None else ""] for p in token_colours(result)]
    ended = card["task"] == "causal-lm"
    return {
        "pieces": [p for p in pieces if p[0] not in ("[CLS]", "[SEP]")],
        "answer": f"{'' if ended else '→ '}{target}",
    }


def draw_words(model: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """A drawing, and the maps of the words that name its things, as one picture."""
    import backends
    from viz.figures import word_maps
    from viz.server.diffusion_files import laid_over

    example = card["examples"][card.get("cover", 0)]
    result = backends.run(model, "daam", example["input"], seed=example.get("seed", 0))
    drawing = Image.fromarray(result.arrays["image"]).convert("RGB")
    if card["name"] == "bundled/scenes":
        drawing.save(PICTURES / "drawing.webp", "WEBP", quality=92)
    words = list(result.labels["word"])
    spans = [thing["words"][-1] for thing in example["truth"]["things"]][:WORDS]
    named = [words.index(example["input"][a:b]) for a, b in spans]
    maps = word_maps.enlarged(result.arrays["map"], TILE, TILE)
    large = drawing.resize((TILE, TILE), Image.Resampling.BICUBIC)
    grey = large.convert("L").convert("RGB")
    tiles = [large, *[laid_over(grey, maps[at], float(maps[named].max())) for at in named]]
    said = " and ".join(f"“{words[at]}”" for at in named)
    return {"says": f"DAAM: where {said} went in “{example['input']}”", "picture": save(tiles, card)}


def save(tiles: list[Image.Image], card: Mapping[str, Any]) -> str:
    """The tiles side by side as a file of assets/, and its name there."""
    wide = len(tiles) * TILE + (len(tiles) - 1) * GAP
    made = Image.new("RGB", (wide, TILE), "#11161d")
    for at, tile in enumerate(tiles):
        made.paste(tile, (at * (TILE + GAP), 0))
    name = f"{card['name'].partition('/')[2]}.webp"
    made.save(PICTURES / name, "WEBP", quality=QUALITY, method=6)
    return f"covers/{name}"


if __name__ == "__main__":
    sys.exit(main())

"""The store under damage: a flipped bit is never served, and writers that are killed leave nothing behind."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends import digests
from backends.errors import Refused
from backends.results import Result
from backends.store import Store

ROOT = Path(__file__).parents[2]
KEY = "a" * 64
DOCUMENT = {"n": 3, "list": list(range(300)), "text": "é and more", "end": None}


def made(values: int = 500) -> Result:
    x = np.arange(values, dtype=np.float32)
    arrays, axes = {"x": x, "span": np.full((values, 2), 3, np.int32)}, {"x": ("token",), "span": ("token", "edge")}
    facts = {"n": 3, "text": "no fever"}
    return Result("saliency", arrays, axes, target="urgent", unit="logit", facts=facts, request={"model": "m", "n": 3})


def picture() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((24, 24), 60).save(file, "PNG")
    return file.getvalue()


class Kept:
    """One thing of each kind in a store, what reads it, and what it must give."""

    def __init__(self, root: Path) -> None:
        self.store = store = Store(root)
        self.image = picture()
        self.digest = store.put_input({"text": "no fever", "image": self.image})
        self.again()
        self.gets: dict[str, Callable[[], Any]] = {
            "results": lambda: plain(store.get_result(KEY)),
            "documents": lambda: store.get_document(KEY),
            "inputs": lambda: {**(raw := store.get_input(self.digest)), "image": raw["image"].read_bytes()},
        }
        self.right = {name: get() for name, get in self.gets.items()}
        self.files = sorted(path for path in store.root.rglob("*") if path.is_file())

    def again(self) -> None:
        """Keep all of it, whatever was dropped: as a job does that is asked another time."""
        self.store.put_result(KEY, made())
        self.store.put_document(KEY, DOCUMENT)
        assert self.store.put_input({"text": "no fever", "image": self.image}) == self.digest

    def served(self, path: Path) -> str:
        """What is given of the thing that `path` belongs to: right, refused or WRONG."""
        name = path.relative_to(self.store.root).parts[0]
        try:
            return "right" if self.gets[name]() == self.right[name] else "WRONG"
        except Refused as refused:
            return "refused" if "was damaged on disk" in str(refused) else str(refused)


def plain(result: Result) -> Any:
    arrays = {name: (array.dtype.str, array.tolist()) for name, array in result.arrays.items()}
    about = (result.method, dict(result.axes), dict(result.labels), result.unit, result.signed, result.target)
    return arrays, about, dict(result.facts), dict(result.request)


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_was_damaged_is_never_served(tmp_path: Path, count: int) -> None:
    chance, kept, seen = random.Random(7), Kept(tmp_path), Counter[str]()
    assert len(kept.files) == 6, "arrays, JSON and digests of a result, a document, an input and its image"
    for i in range(count):
        path = kept.files[i % len(kept.files)]
        content = bytearray(path.read_bytes())
        if chance.random() < 0.8:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        else:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        shown = [row["method"] for row in kept.store.recent()]
        assert shown in ([], ["saliency"])
        seen[kept.served(path)] += 1
        kept.again()
        assert kept.served(path) == "right", "it can be kept again"
    print(f"[store] {count} times damaged: {dict(seen)}")
    assert not seen["WRONG"]
    assert seen["refused"] > 0.9 * count


def test_verify_names_and_drops_what_is_damaged(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert list(kept.store.verify()) == []
    for path in kept.files:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    image = next(path for path in kept.files if path.suffix == ".image").stem
    assert sorted(kept.store.verify()) == sorted(
        [("documents", KEY), ("inputs", kept.digest), ("inputs", image), ("results", KEY)]
    )
    assert list(kept.store.verify()) == []
    assert not kept.store.has(KEY)


def test_what_an_older_vitrine_kept_still_opens(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made().save(store.folder(KEY))
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / f"{KEY}.json").write_text(json.dumps(DOCUMENT))
    assert plain(store.get_result(KEY)) == plain(made())
    assert store.get_document(KEY) == DOCUMENT
    assert list(store.verify()) == []
    assert store.recent()[0]["target"] == "urgent"


def test_sums_are_as_sha256sum_writes_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_result(KEY, made())
    lines = (store.folder(KEY) / digests.SUMS).read_text().splitlines()
    assert [line[64:] for line in lines] == ["  arrays.safetensors", "  result.json"]
    (store.folder(KEY) / digests.SUMS).write_text(lines[0] + "\n")
    with pytest.raises(digests.Damaged, match="its list of digests is not whole"):
        digests.check_folder(store.folder(KEY))


KILLS = """
import json, os, random, signal, sys, time
from collections import Counter
from pathlib import Path

import numpy as np

from backends.errors import Refused
from backends.results import Result
from backends.store import Store

root, kills, chance, seen = sys.argv[1], int(sys.argv[2]), random.Random(5), Counter()


def made(i):
    x = np.full(60_000, i, np.float32)
    return Result("saliency", {"x": x}, {"x": ("token",)}, request={"model": "m", "n": i}, facts={"n": i})


def document(i):
    return {"n": i, "list": [i] * 3000, "end": i}


def key(i):
    return f"{i:064x}"


def write(start, ready):
    store, i = Store(root), start
    os.write(ready, b"1")
    while True:
        store.put_result(key(i % 8), made(i % 8))
        store.put_document(key(100 + i % 8), document(i % 8))
        store.put_input({"text": "text %d " % (i % 8) * 2000})
        if i % 3 == 0:
            store.forget(key(i % 8))
        i += 1


def look(store):
    for i in range(8):
        for get, right in ((lambda: store.get_result(key(i)).arrays["x"], lambda x: (x == i).all()),
                           (lambda: store.get_document(key(100 + i)), lambda d: d == document(i))):
            try:
                seen["right" if right(get()) else "WRONG"] += 1
            except Refused as refused:
                seen["DAMAGED" if "damaged" in str(refused) else "absent"] += 1


for kill in range(kills):
    writers = []
    for _ in range(1 + (kill % 4 == 0)):
        heard, ready = os.pipe()
        writer = os.fork()
        if not writer:
            write(chance.randrange(8), ready)
        os.read(heard, 1)
        os.close(heard)
        os.close(ready)
        writers.append(writer)
    time.sleep(chance.uniform(0, 0.1))
    for writer in writers:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    look(Store(root))
store = Store(root)
seen["swept"] = store.sweep()
seen["left"] = len(list((Path(root) / "tmp").iterdir()))
print(json.dumps(seen))
"""


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_writers_leave_nothing_half_written_and_no_piece_outlives_a_start(tmp_path: Path, count: int) -> None:
    command = [sys.executable, "-c", KILLS, str(tmp_path / "kept"), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=True)
    seen = json.loads(found.stdout)
    print(f"[store] {count} kills of writers: {seen}")
    assert seen["right"] >= count
    assert not {"WRONG", "DAMAGED"} & set(seen)
    assert seen["left"] == 0

"""The store: what goes in comes out, nothing half-written is seen, the disk's troubles are sentences."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends import store as module
from backends.errors import Refused
from backends.results import Result
from backends.store import Store

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept")


def result(values: int = 3, **request: object) -> Result:
    asked = {"model": "bundled/triage", "input": None, **request}
    x = np.arange(values, dtype=np.float32)
    return Result("saliency", {"x": x}, {"x": ("token",)}, target="urgent", unit="logit", request=asked)


def png(colour: str = "red", size: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "PNG")
    return file.getvalue()


def age(store: Store, seconds: float) -> None:
    """Make all that is kept look as if it was used that much earlier."""
    for path in store.root.rglob("*"):
        about = path.stat()
        os.utime(path, (about.st_atime, about.st_mtime - seconds))


def test_result_round_trip(store: Store) -> None:
    assert not store.has(KEY)
    store.put_result(KEY, result())
    assert store.has(KEY)
    back = store.get_result(KEY)
    assert back.target == "urgent"
    assert back.arrays["x"].tolist() == [0, 1, 2]
    assert sorted(f.name for f in store.folder(KEY).iterdir()) == [
        "SHA256SUMS", "arrays.safetensors", "result.json",
    ]  # fmt: skip
    assert not any((store.root / "tmp").iterdir())


def test_document_round_trip(store: Store) -> None:
    document = {"z": [1, 2.5, None, True], "a": {"é": "…"}}
    store.put_document(KEY, document)
    assert store.has(KEY)
    assert store.get_document(KEY) == document
    assert list(store.get_document(KEY)) == ["z", "a"], "its order is kept"
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.put_document(OTHER, {"x": float("nan")})


def test_text_and_image_round_trip(store: Store, tmp_path: Path) -> None:
    data = png()
    (tmp_path / "x.png").write_bytes(data)
    digest = store.put_input({"text": "what colour?", "image": data})
    assert digest == store.put_input({"image": tmp_path / "x.png", "text": "what colour?"})
    raw = store.get_input(digest)
    assert raw["text"] == "what colour?"
    assert raw["image"].read_bytes() == data
    assert digest == store.put_input(raw), "what comes out goes in again"
    assert digest != store.put_input({"image": data}) != store.put_input({"text": "what colour?"})
    assert store.get_input(store.put_input({"text": "é\n\u2028"})) == {"text": "é\n\u2028"}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA", "F"])
def test_pil_images_are_kept_as_png(store: Store, mode: str) -> None:
    raw = store.get_input(store.put_input({"image": Image.new(mode, (5, 3))}))
    with Image.open(raw["image"]) as image:
        assert image.format == "PNG"
        assert image.size == (5, 3)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({}, "an input has a text, an image or both"),
        ("hello", "an input has a text, an image or both, not str"),
        ({"text": "a", "sound": b""}, r"an input has a text, an image or both, not \['sound', 'text'\]"),
        ({"text": 7}, "the text of an input must be a text, not int"),
        ({"text": "ab\ud800"}, "character 3 of the text is half a character"),
        ({"image": 7}, "an image is given as a file, its bytes or a PIL image, not int"),
        ({"image": "/nowhere/x.png"}, "the image file 'x.png' cannot be read: No such file"),
        ({"image": "/dev/zero"}, "'zero' is not a file"),
    ],
)
def test_inputs_that_are_none(store: Store, raw: object, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        store.put_input(raw)  # type: ignore[arg-type]


def test_inputs_that_are_too_large(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INPUT_LIMIT", 2 * 2**20)
    (tmp_path / "x.png").write_bytes(bytes(3 * 2**20))
    for image in (bytes(3 * 2**20), tmp_path / "x.png"):
        with pytest.raises(Refused, match="the image has 3 MB; at most 2 MB are taken"):
            store.put_input({"image": image})
    with pytest.raises(Refused, match="the text has 3 MB; at most 2 MB are taken"):
        store.put_input({"text": "x" * 3 * 2**20})


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "a" * 65, None, 7])
def test_keys_lead_nowhere_else(store: Store, key: str) -> None:
    for call in (store.has, store.folder, store.get_result, store.get_document, store.get_input):
        with pytest.raises(Refused, match="is not a key: a key is 64 characters from 0-9 and a-f"):
            call(key)
    with pytest.raises(Refused, match="is not a key"):
        store.put_document(key, {})
    with pytest.raises(Refused, match="is not a key"):
        store.put_result(key, result())


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(Refused, match="this result is no longer kept here; ask for it again"):
        store.get_result(KEY)
    with pytest.raises(Refused, match="this answer is no longer kept"):
        store.get_document(KEY)
    with pytest.raises(Refused, match="this input is no longer kept"):
        store.get_input(KEY)
    digest = store.put_input({"image": png()})
    store.get_input(digest)["image"].unlink()
    with pytest.raises(Refused, match="the image of this input is no longer kept"):
        store.get_input(digest)
    assert store.recent() == []


@pytest.mark.parametrize("name", ["arrays.safetensors", "result.json"])
def test_a_damaged_result_is_dropped(store: Store, name: str) -> None:
    store.put_result(KEY, result())
    (store.folder(KEY) / name).write_bytes(b"\x00" * 20)
    with pytest.raises(Refused, match="this result was damaged on disk and is no longer kept"):
        store.get_result(KEY)
    assert not store.has(KEY)
    store.put_result(KEY, result())
    assert store.get_result(KEY).arrays["x"].tolist() == [0, 1, 2]


def test_a_damaged_document_is_dropped(store: Store) -> None:
    store.put_document(KEY, {"a": 1})
    (store.root / "documents" / f"{KEY}.json").write_text('{"a": ')
    with pytest.raises(Refused, match="this answer was damaged on disk"):
        store.get_document(KEY)
    assert not store.has(KEY)


def test_a_result_that_cannot_be_read_just_now_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_result(KEY, result())

    def busy(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", busy)
        with pytest.raises(Refused, match=r"this result cannot be read \(too many open files\); try again"):
            store.get_result(KEY)
    assert store.get_result(KEY).method == "saliency"


def test_half_a_result_is_replaced(store: Store) -> None:
    store.folder(KEY).mkdir(parents=True)
    (store.folder(KEY) / "result.json").write_text("{}")
    assert not store.has(KEY)
    store.put_result(KEY, result())
    assert store.get_result(KEY).target == "urgent"


def test_many_writers_and_readers_of_one_key(store: Store) -> None:
    wrong: list[object] = []

    def work() -> None:
        for _ in range(10):
            try:
                store.put_result(KEY, result())
                if store.get_result(KEY).arrays["x"].tolist() != [0, 1, 2]:
                    wrong.append("values")
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not any((store.root / "tmp").iterdir())


def test_recent_is_newest_first_and_skips_what_is_broken(store: Store) -> None:
    for i in range(5):
        store.put_result(f"{i:064x}", result(model=f"m{i}", input=OTHER))
        age(store, 10)
    (store.folder(f"{4:064x}") / "result.json").write_text("nonsense")
    (store.folder(f"{3:064x}") / "arrays.safetensors").unlink()
    store.get_result(f"{0:064x}")  # being looked at does not make it new
    rows = store.recent(2)
    assert [row["model"] for row in rows] == ["m2", "m1"]
    assert set(rows[0]) == {"key", "method", "model", "target", "input", "when"}
    assert (rows[0]["key"], rows[0]["method"], rows[0]["target"], rows[0]["input"]) == (
        f"{2:064x}", "saliency", "urgent", OTHER,
    )  # fmt: skip
    assert rows[0]["when"] < time.time() - 25


def test_recent_calls_a_map_what_it_is_called_today(store: Store) -> None:
    old = result(model="m", options={"weights": "place"})
    store.put_result(KEY, dataclasses.replace(old, method="grad_cam"))
    assert [row["method"] for row in store.recent(1)] == ["hires_cam"]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=100_000)
    for i in range(8):  # 12 kB each
        store.put_result(f"{i:064x}", result(3000))
        age(store, 10)
    store.get_result(f"{0:064x}")
    for i in range(8, 11):
        store.put_result(f"{i:064x}", result(3000))
        age(store, 10)
    kept = [i for i in range(11) if store.has(f"{i:064x}")]
    assert 0 in kept
    assert 1 not in kept
    assert kept[-3:] == [8, 9, 10]
    assert store.trim() <= 100_000


def test_inputs_stay_as_long_as_their_results(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=100_000)
    wanted, unwanted = (store.put_input({"image": png(c), "text": c * 1000}) for c in ("red", "blue"))
    store.put_result(KEY, result(3000, input=wanted))
    for i in range(20):
        age(store, 10)
        store.get_result(KEY)
        store.put_result(f"{i:064x}", result(3000))
    assert store.get_result(KEY)
    assert store.get_input(wanted)["image"].exists()
    with pytest.raises(Refused, match="this input is no longer kept"):
        store.get_input(unwanted)


def test_one_result_larger_than_the_limit_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=1000)
    store.put_result(KEY, result(3000))
    assert store.has(KEY)
    store.put_document(OTHER, {"a": 1})
    assert store.has(OTHER)
    assert not store.has(KEY)


def test_the_folder_is_not_looked_through_at_every_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(Store, "trim", lambda self, *keep: looks.append(1) or setattr(self, "_written", 0))
    for i in range(50):
        store.put_document(f"{i:064x}", {"i": i})
    assert len(looks) == 1


def test_what_dead_processes_left_is_removed(store: Store) -> None:
    left = store.root / "tmp" / "left"
    left.mkdir(parents=True)
    (left / "x").write_text("half")
    os.utime(left, (0, 0))
    store.put_document(KEY, {})
    assert not left.exists()


def test_a_piece_of_a_dead_process_goes_at_once_and_of_a_living_one_stays(store: Store) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = module._piece()
    pieces = [mine, mine.replace(f"-{os.getpid()}-", f"-{dead.pid}-"), f"0123456789ab-{dead.pid}-elsewhere"]
    for piece in pieces:
        (store.root / "tmp" / piece).mkdir(parents=True)
        (store.root / "tmp" / piece / "x").write_text("half")
    assert store.sizes()["pieces"] == (3, 12)
    assert store.sweep() == 1
    assert {p.name for p in (store.root / "tmp").iterdir()} == {pieces[0], pieces[2]}, "of a writer elsewhere who knows"


def test_its_size_by_kind(store: Store) -> None:
    store.put_result(KEY, result(input=store.put_input({"text": "private", "image": png()})))
    store.put_document(KEY, {"a": 1})
    size = store.sizes()
    assert {kind: count for kind, (count, _) in size.items()} == {
        "results": 1, "documents": 1, "inputs": 2, "pieces": 0,
    }  # fmt: skip
    assert (
        store.size()
        == sum(held for _, held in size.values())
        == sum(f.stat().st_size for f in store.root.rglob("*") if f.is_file())
    )


DISK = [
    (errno.ENOSPC, "the disk that holds {root} is full: free some space there, or set VITRINE_STORE"),
    (errno.EDQUOT, "the disk that holds {root} is full"),
    (errno.EROFS, r"Vitrine cannot write to {root} \(read-only file system\): make that folder writable"),
    (errno.EACCES, r"Vitrine cannot write to {root} \(permission denied\)"),
]


@pytest.mark.parametrize(("code", "sentence"), DISK)
def test_disk_trouble_is_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    def fail_in_words(*_: object, **__: object) -> None:
        from safetensors import SafetensorError

        raise SafetensorError(f"Error while serializing: I/O error: {os.strerror(code)} (os error {code})")

    sentence = sentence.format(root=store.root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fail)
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(Refused, match=sentence):
            store.put_document(KEY, {})
        with pytest.raises(Refused, match=sentence):
            store.put_input({"text": "x"})
        with pytest.raises(Refused, match=sentence):
            store.put_result(KEY, result())
    with monkeypatch.context() as patch:
        patch.setattr("backends.results.save_file", fail_in_words)
        with pytest.raises(Refused, match=sentence):
            store.put_result(KEY, result())
    assert not store.has(KEY)
    assert not any((store.root / "tmp").iterdir()), "nothing half-written stays"
    store.put_result(KEY, result())


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"Vitrine cannot write to .*file/kept \(not a directory\)"):
        Store(tmp_path / "file" / "kept").put_document(KEY, {})


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VITRINE_STORE", raising=False)
    assert Store().root == tmp_path / ".vitrine"
    assert not Store().root.exists(), "made at the first write only"
    monkeypatch.setenv("VITRINE_STORE", str(tmp_path / "there"))
    assert Store().root == tmp_path / "there"
    Store().put_document(KEY, {})
    assert (tmp_path / "there").stat().st_mode & 0o077 == 0, "inputs are nobody else's business"
    assert (tmp_path / "there" / "documents" / f"{KEY}.json").read_text().startswith("{}\n#sha256 ")


def test_its_limit_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_STORE_GB", "0.5")
    assert Store(tmp_path).limit == 2**29
    assert Store(tmp_path, limit=7).limit == 7


def test_all_that_is_kept_is_for_its_owner_only(store: Store) -> None:
    store.put_result(KEY, result(input=store.put_input({"text": "private", "image": png()})))
    store.put_document(KEY, {"a": 1})
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (store.root, *store.root.rglob("*"))}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_the_text_beside_a_text_is_kept(store: Store) -> None:
    for raw in ({"text": "a", "pair": "b"}, {"text": "a", "output": ""}):
        assert store.get_input(store.put_input(raw)) == raw
    with pytest.raises(Refused, match="the text of an input must be a text, not int"):
        store.put_input({"text": "a", "pair": 3})


def test_exact_tokens_are_kept_beside_their_text(store: Store) -> None:
    raw = {"text": "no fever", "ids": [7, 8], "output": "the", "output_ids": [3]}
    digest = store.put_input(raw)
    assert store.get_input(digest) == raw
    assert store.put_input({**raw, "ids": (7, 8)}) == digest
    assert store.put_input({**raw, "ids": [8, 7]}) != digest


@pytest.mark.parametrize("ids", ["7 8", [1.5], [True], [-1], [2**31], {"a": 1}])
def test_exact_tokens_are_whole_numbers(store: Store, ids: object) -> None:
    with pytest.raises(Refused, match="ids of an input must be a list of whole numbers"):
        store.put_input({"text": "no fever", "ids": ids})


def test_too_many_tokens_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.store.INPUT_LIMIT", 80)
    with pytest.raises(Refused, match="ids of an input are 11 tokens; at most 10 are taken"):
        store.put_input({"text": "no", "ids": [1] * 11})


def test_whether_an_input_is_kept_is_known_without_keeping_it(store: Store) -> None:
    text, film = {"text": "chest pain"}, {"image": Image.new("L", (4, 4), 9), "text": "a film"}
    assert store.kept_input(text) is None
    assert store.kept_input(film) is None
    assert not store.root.exists()
    assert store.kept_input(text | {}) is None
    for raw in (text, film):
        digest = store.put_input(raw)
        assert store.kept_input(raw) == digest
        assert store.has_input(digest)
    assert not store.has_input("0" * 64)
    assert store.kept_input({"clean": text, "corrupted": text}) is None
    with pytest.raises(Refused, match="an input has a text"):
        store.kept_input({"sound": b""})

"""Results, documents and inputs on disk, by content.

A folder that several processes share: the web process, its workers, a script. Everything is written
beside its place and moved there whole, so that a reader never sees half a result. The folder is
bounded: what was not looked at for longest goes first.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import heapq
import io
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from backends import settings
from backends.errors import Refused, Unsettled
from backends.results import Result, update_request

LIMIT = 4 * 2**30
"""Bytes that a store keeps at most, unless it is told otherwise."""

INPUT_LIMIT = 32 * 2**20
"""Bytes of one input's text or image file."""

TEXTS = ("text", "pair", "output")
"""The texts of an input."""

SIDES = ("clean", "corrupted")
"""The two inputs that an intervention compares."""

IDS = ("ids", "output_ids")
"""The exact tokens of an input, where its text could be split otherwise."""

_KEY = re.compile(r"[0-9a-f]{64}")
_GONE = "is no longer kept here; ask for it again"


class _Entry(NamedTuple):
    """One thing that may be evicted. They sort by last use; of equals, an input goes after its results."""

    used: int
    rank: int
    size: int
    path: Path


class Store:
    """What was computed and what it was computed from, under `root`.

    `root` is `VITRINE_STORE` or `.vitrine` in the current folder unless given; it is made at the first
    write. At most about `limit` bytes are kept. A key that is not 64 hex characters raises `Refused`,
    so no key leads out of the folder; so does a full or read-only disk, naming the folder.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, limit: int = LIMIT) -> None:
        self.root = Path(root or settings.value("VITRINE_STORE")).absolute()
        self.limit = limit
        self._written: int | None = None  # bytes since the last look at the whole folder; None: never looked

    def has(self, key: str) -> bool:
        """Whether a result or a document of this key is kept."""
        return self._whole(self.folder(key)) or self._document(key).exists()

    def folder(self, key: str) -> Path:
        """Where the result of this key is, or would be: `result.json` and `arrays.safetensors`."""
        return self.root / "results" / _checked(key)

    def put_result(self, key: str, result: Result) -> None:
        """Keep `result`. Of two processes that write the same key, one wins and neither fails."""
        target = self.folder(key)
        with self._writing() as part:
            result.save(part)
            size = sum(f.stat().st_size for f in part.iterdir())
            self._place(part, target)
        self._use_input(result.request)
        self._grew(size, target)

    def get_result(self, key: str) -> Result:
        """The result of this key. Raises `Refused` when it is not kept; a broken one is dropped."""
        folder = self.folder(key)
        try:
            result = Result.load(folder)
        except Exception as error:  # safetensors' own error is no ValueError
            if not self._whole(folder):
                raise Refused(f"this result {_GONE}") from error
            code = _errno(error.__cause__ or error)
            if code is not None:  # it may well be whole
                raise Refused(f"this result cannot be read ({os.strerror(code).lower()}); try again") from error
            self._discard(folder)
            raise Refused(f"this result was damaged on disk and {_GONE}") from error
        _use(folder / "arrays.safetensors")
        self._use_input(result.request)
        return result

    def put_document(self, key: str, document: Mapping[str, Any]) -> None:
        """Keep a plain JSON object, such as a model's card, in its own order. Raises `ValueError` on NaN."""
        text = json.dumps(dict(document), allow_nan=False)
        with self._writing() as part:
            part.write_text(text)
            os.replace(part, _ready(self._document(key)))
        self._grew(len(text), self._document(key))

    def get_document(self, key: str) -> dict[str, Any]:
        """The document of this key. Raises `Refused` when it is not kept; a broken one is dropped."""
        return self._read_json(self._document(key), "this answer")

    def forget(self, key: str) -> None:
        """Drop the result and the document of this key, so that they are computed when they are next asked for."""
        self._discard(self.folder(key))
        self._discard(self._document(key))

    def put_input(self, raw: Mapping[str, Any]) -> str:
        """Keep `{"text": …}`, `{"image": …}` or both, and return the digest that stands for it in requests.

        The image is bytes, a file or a PIL image; its file is kept by its own content. Beside a text may stand the
        `pair` it is compared with, or the `output` that a decoder has given so far; `ids` and `output_ids` are exact
        tokens of text and output. Two inputs, `{"clean": …, "corrupted": …}`, are kept as a pair of digests.
        """
        if isinstance(raw, Mapping) and set(raw) == set(SIDES):
            return self._put_pair({side: self.put_input(raw[side]) for side in SIDES})
        if not isinstance(raw, Mapping) or not raw or set(raw) - {*TEXTS, *IDS, "image"}:
            found = sorted(map(str, raw)) if isinstance(raw, Mapping) else type(raw).__name__
            raise Refused(f"an input has a text, an image or both, not {str(found)[:80]}")
        plain: dict[str, Any] = {name: _ids(name, raw[name]) for name in IDS if name in raw}
        size = 0
        for name in TEXTS:
            if name in raw:
                plain[name] = _text(raw[name])
        if "image" in raw:
            data = _image(raw["image"])
            plain["image"] = _sha(data)
            size += self._put_file(self._image(plain["image"]), data)
        content = _json(plain).encode()
        digest = _sha(content)
        size += self._put_file(self._input(digest), content)
        self._grew(size, self._input(digest), *([self._image(plain["image"])] if "image" in plain else []))
        return digest

    def _put_pair(self, sides: dict[str, str]) -> str:
        content = _json(sides).encode()
        digest = _sha(content)
        self._grew(self._put_file(self._input(digest), content), *map(self._input, (digest, *sides.values())))
        return digest

    def get_input(self, digest: str) -> dict[str, Any]:
        """The raw input of this digest, its image as the `Path` of the kept file. Raises `Refused` when it is gone."""
        raw = self._read_json(self._input(digest), "this input")
        if set(raw) == set(SIDES):
            return {side: self.get_input(raw[side]) for side in SIDES}
        if "image" in raw:
            raw["image"] = self._image(raw["image"])
            if not raw["image"].exists():
                raise Refused(f"the image of this input {_GONE}")
        self._use_input({"input": digest})
        return raw

    def recent(self, n: int = 12) -> list[dict[str, Any]]:
        """The newest results, newest first: key, method, model, target, input and when (seconds since 1970)."""
        made = []
        for entry in _scan(self.root / "results"):
            with contextlib.suppress(OSError):
                made.append((os.stat(entry.path + "/result.json").st_mtime, entry.name))
        found: list[dict[str, Any]] = []
        for when, key in heapq.nlargest(2 * n, made):  # some of them may be broken
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                about = json.loads((self.folder(key) / "result.json").read_text())
                method, asked = update_request(about["method"], about["request"])
                if not self._whole(self.folder(key)):
                    continue
                row = {"key": key, "method": method, "model": asked["model"], "target": about["target"]}
                found.append({**row, "input": asked.get("input"), "when": when})
        return found[:n]

    def size(self) -> int:
        """Return the bytes kept, by a look at the whole folder."""
        return sum(entry.size for entry in self._entries())

    def trim(self, *keep: Path) -> int:
        """Evict what was not used for longest until the folder is within its limit; returns the bytes kept."""
        for left in _scan(self.root / "tmp"):  # by a process that died
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < time.time() - 3600:
                    _remove(Path(left.path))
        entries = sorted(self._entries())
        total = sum(e.size for e in entries)
        if total > self.limit:
            for entry in entries:
                if total <= 0.9 * self.limit:  # room to write for a while before the next look
                    break
                if entry.path not in keep:
                    self._discard(entry.path)
                    total -= entry.size
        self._written = 0 if total <= self.limit else None
        return total

    def _entries(self) -> Iterator[_Entry]:
        """Everything kept. A result's last use is its arrays' time; the JSON's time is when it was made."""
        for rank, name in enumerate(("results", "documents", "inputs")):
            for entry in _scan(self.root / name):
                with contextlib.suppress(OSError):
                    about = entry.stat()
                    size = about.st_size
                    if rank == 0:
                        about = os.stat(entry.path + "/arrays.safetensors")
                        size = about.st_size + os.stat(entry.path + "/result.json").st_size
                    yield _Entry(about.st_mtime_ns, rank, size, Path(entry.path))

    def _grew(self, size: int, *keep: Path) -> None:
        """Count what was written; the whole folder is looked at only once in a while."""
        if self._written is not None:
            self._written += size
        if self._written is None or self._written > self.limit // 64:
            self.trim(*keep)

    def _use_input(self, request: Mapping[str, Any]) -> None:
        """Mark an input as used now: never earlier than its results, so that it outlives them."""
        digest = request.get("input")
        if isinstance(digest, str) and _KEY.fullmatch(digest):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                plain = json.loads(self._input(digest).read_text())
                for side in SIDES:
                    self._use_input({"input": plain.get(side)})
                image = plain.get("image")
                _use(self._input(digest))
                if image:
                    _use(self._image(image))

    def _document(self, key: str) -> Path:
        return self.root / "documents" / f"{_checked(key)}.json"

    def _input(self, digest: str) -> Path:
        return self.root / "inputs" / f"{_checked(digest)}.json"

    def _image(self, digest: str) -> Path:
        return self.root / "inputs" / f"{_checked(digest)}.image"

    def _whole(self, folder: Path) -> bool:
        return (folder / "result.json").exists() and (folder / "arrays.safetensors").exists()

    def _read_json(self, path: Path, noun: str) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text())
        except OSError as error:
            raise Refused(f"{noun} {_GONE}") from error
        except ValueError as error:
            self._discard(path)
            raise Refused(f"{noun} was damaged on disk and {_GONE}") from error
        _use(path)
        return found

    def _put_file(self, path: Path, content: bytes) -> int:
        """Write a file named by its content, if it is not there already; returns the bytes written."""
        if path.exists() and path.stat().st_size == len(content):
            _use(path)
            return 0
        with self._writing() as part:
            part.write_bytes(content)
            os.replace(part, _ready(path))
        return len(content)

    def _place(self, part: Path, target: Path) -> None:
        """Move a written folder to its place; one that is there already, and whole, stays."""
        _ready(target)
        for _ in range(10):
            try:
                os.rename(part, target)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if self._whole(target):
                return
            self._discard(target)
        raise OSError(errno.EBUSY, "another process keeps writing here")

    def _discard(self, path: Path) -> None:
        """Take a file or folder away at once, then delete it."""
        trash = self.root / "tmp" / uuid.uuid4().hex
        with contextlib.suppress(OSError):
            os.rename(path, _ready(trash))
            _remove(trash)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Path]:
        """A place to write beside the store's own; what is left there is deleted. Disk errors become sentences."""
        part = self.root / "tmp" / uuid.uuid4().hex
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # inputs may be about people
            yield _ready(part)
        except Refused:
            raise
        except Exception as error:
            code = _errno(error)
            if code is None:
                raise
            raise Unsettled(_sentence(code, self.root)) from error
        finally:
            _remove(part)


def _sentence(code: int, root: Path) -> str:
    if code in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk that holds {root} is full: free some space there, "
            "or set VITRINE_STORE to a folder on another disk and start Vitrine again"
        )
    return (
        f"Vitrine cannot write to {root} ({os.strerror(code).lower()}): "
        "make that folder writable, or set VITRINE_STORE to another one and start Vitrine again"
    )


def _errno(error: BaseException) -> int | None:
    """The number of a disk error; safetensors tells it only in words."""
    if isinstance(error, OSError):
        return error.errno or errno.EIO
    said = re.search(r"\(os error (\d+)\)", str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(said[1]) if said else None


def _checked(key: Any) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise Refused(f"{str(key)[:80]!r} is not a key: a key is 64 characters from 0-9 and a-f")
    return key


def _json(value: Any) -> str:
    """The one JSON text of `value`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _ready(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _use(path: Path) -> None:
    """Mark a file as used now; a read-only folder is read without marks."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise Refused(f"the text of an input must be a text, not {type(text).__name__}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Refused(f"character {error.start + 1} of the text is half a character; type or paste it again") from error
    if size > INPUT_LIMIT:
        raise Refused(f"the text has {_megabytes(size)}; at most {_megabytes(INPUT_LIMIT)} are taken")
    return text


def _ids(name: str, ids: Any) -> list[int]:
    if not isinstance(ids, (list, tuple)) or any(type(i) is not int or not 0 <= i < 2**31 for i in ids):
        raise Refused(f"{name} of an input must be a list of whole numbers, the tokens' numbers in the vocabulary")
    if len(ids) > INPUT_LIMIT // 8:
        raise Refused(f"{name} of an input are {len(ids)} tokens; at most {INPUT_LIMIT // 8} are taken")
    return list(ids)


def _image(image: Any) -> bytes:
    """The bytes of an image file, as they came."""
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        try:
            size = path.stat().st_size
            if not path.is_file():
                raise Refused(f"{path.name!r} is not a file")
            data = path.read_bytes() if size <= INPUT_LIMIT else b""
        except OSError as error:
            raise Refused(f"the image file {path.name!r} cannot be read: {error.strerror}") from error
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
        size = len(data)
    elif hasattr(image, "convert") and hasattr(image, "save"):  # a PIL image, without importing PIL
        from backends.inputs.images import open_image, turn_upright

        file = io.BytesIO()
        kept = image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
        (turn_upright(image) if kept else open_image(image)).save(file, "PNG")
        data = file.getvalue()
        size = len(data)
    else:
        raise Refused(f"an image is given as a file, its bytes or a PIL image, not {type(image).__name__}")
    if size > INPUT_LIMIT:
        raise Refused(f"the image has {_megabytes(size)}; at most {_megabytes(INPUT_LIMIT)} are taken")
    return data


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB"

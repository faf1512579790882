"""Results, documents and inputs on disk, by content.

A folder that several processes share: the web process, its workers, a script. Everything is written
beside its place, put on the disk itself and moved there whole, so that a reader never sees half a result.
Each thing has its digest beside it: what the disk damaged is never served, but dropped and computed again.
The folder is bounded: what was not looked at for longest goes first.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import heapq
import io
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from backends import digests, settings
from backends.digests import Damaged
from backends.errors import Refused, Unsettled
from backends.requests import is_key
from backends.results import Result, update_request

INPUT_LIMIT = 32 * 2**20
"""Bytes of one input's text or image file."""

TEXTS = ("text", "pair", "output")
"""The texts of an input."""

SIDES = ("clean", "corrupted")
"""The two inputs that an intervention compares."""

KINDS = ("results", "documents", "inputs")
"""What is kept, each in a folder of its own."""

IDS = ("ids", "output_ids")
"""The exact tokens of an input, where its text could be split otherwise."""

ABANDONED = 3600.0
"""Seconds after which a piece of a writer elsewhere, of whom nothing else is known, counts as left behind."""

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
    write. At most about `limit` bytes are kept, `VITRINE_STORE_GB` unless given. A key that is not 64 hex
    characters raises `Refused`, so no key leads out of the folder; so does a full or read-only disk,
    naming the folder.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, limit: int | None = None) -> None:
        self.root = Path(root or settings.value("VITRINE_STORE")).absolute()
        self.limit = int(settings.number("VITRINE_STORE_GB") * 2**30) if limit is None else limit
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
            part.mkdir(mode=0o700)
            result.save(part)
            digests.seal_folder(part)
            digests.settle(part)
            size = sum(f.stat().st_size for f in part.iterdir())
            self._place(part, target)
        self._use_input(result.request)
        self._grew(size, target)

    def get_result(self, key: str) -> Result:
        """The result of this key. Raises `Refused` when it is not kept; a broken one is dropped."""
        folder = self.folder(key)
        try:
            digests.check_folder(folder)
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
        content = digests.seal(json.dumps(dict(document), allow_nan=False))
        self._write(self._document(key), content)
        self._grew(len(content), self._document(key))

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
        plain, data = _plain_input(_checked_parts(raw))
        size = self._put_file(self._image(plain["image"]), data) if data is not None else 0
        content = _json(plain).encode()
        digest = digests.digest_of(content)
        size += self._put_file(self._input(digest), content)
        self._grew(size, self._input(digest), *([self._image(plain["image"])] if "image" in plain else []))
        return digest

    def kept_input(self, raw: Mapping[str, Any]) -> str | None:
        """The digest that `put_input` gives, None where this input is not kept; nothing is written.

        Raises `Refused` as `put_input` does. A pair of inputs counts as not kept.
        """
        if not isinstance(raw, Mapping) or set(raw) == set(SIDES):
            return None
        plain, data = _plain_input(_checked_parts(raw))
        digest = digests.digest_of(_json(plain).encode())
        there = self._input(digest).exists() and (data is None or self._image(plain["image"]).exists())
        return digest if there else None

    def _put_pair(self, sides: dict[str, str]) -> str:
        content = _json(sides).encode()
        digest = digests.digest_of(content)
        self._grew(self._put_file(self._input(digest), content), *map(self._input, (digest, *sides.values())))
        return digest

    def get_input(self, digest: str) -> dict[str, Any]:
        """The raw input of this digest, its image as the `Path` of the kept file. Raises `Refused` when it is gone."""
        raw = self._read_json(self._input(digest), "this input", digest)
        if set(raw) == set(SIDES):
            return {side: self.get_input(raw[side]) for side in SIDES}
        if "image" in raw:
            raw["image"] = self._checked_image(raw["image"])
        self._use_input({"input": digest})
        return raw

    def has_input(self, digest: str) -> bool:
        """Whether the input of this digest is kept; its image is looked for when it is read."""
        return self._input(digest).exists()

    def _checked_image(self, digest: str) -> Path:
        path = self._image(digest)
        try:
            found = digests.digest_of_file(path)
        except FileNotFoundError:
            raise Refused(f"the image of this input {_GONE}") from None
        except OSError as error:
            raise Unsettled(f"the image of this input cannot be read ({_said(error)}); try again") from error
        if found != digest:
            self._discard(path)
            raise Refused(f"the image of this input was damaged on disk and {_GONE}")
        return path

    def recent(self, n: int = 12) -> list[dict[str, Any]]:
        """The newest results, newest first: key, method, model, target, input and when (seconds since 1970)."""
        made = []
        for entry in _scan(self.root / "results"):
            with contextlib.suppress(OSError):
                made.append((os.stat(entry.path + "/result.json").st_mtime, entry.name))
        found: list[dict[str, Any]] = []
        for when, key in heapq.nlargest(2 * n, made):  # some of them may be broken
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                digests.check_folder(self.folder(key), "result.json")
                about = json.loads((self.folder(key) / "result.json").read_text())
                method, asked = update_request(about["method"], about["request"])
                if not self._whole(self.folder(key)):
                    continue
                row = {"key": key, "method": method, "model": asked["model"], "target": about["target"]}
                found.append({**row, "input": asked.get("input"), "when": when})
        return found[:n]

    def trim(self, *keep: Path) -> int:
        """Evict what was not used for longest until the folder is within its limit; returns the bytes kept."""
        self.sweep()
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

    def sweep(self) -> int:
        """Delete what writers left behind that died, and return how many pieces that were."""
        gone = 0
        for piece in _scan(self.root / "tmp"):
            with contextlib.suppress(OSError):
                if _abandoned(piece):
                    _remove(Path(piece.path))
                    gone += 1
        return gone

    def size(self) -> int:
        """Return the bytes kept, by a look at the whole folder."""
        return sum(entry.size for entry in self._entries())

    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many things of each kind are kept, and their bytes: results, documents, inputs, and pieces in writing."""
        count, held = Counter[str](), Counter[str]()
        for entry in self._entries():
            count[KINDS[entry.rank]] += 1
            held[KINDS[entry.rank]] += entry.size
        pieces = [Path(piece.path) for piece in _scan(self.root / "tmp")]
        count["pieces"] = len(pieces)
        held["pieces"] = sum(_bytes(piece) for piece in pieces)
        return {kind: (count[kind], held[kind]) for kind in (*KINDS, "pieces")}

    def verify(self) -> Iterator[tuple[str, str]]:
        """Read everything that is kept; what is damaged is dropped, and told as its kind and key or digest."""
        for entry in list(self._entries()):
            kind, key = KINDS[entry.rank], entry.path.stem
            get = {"results": self._check_result, "documents": self._check_document, "inputs": self._check_input}[kind]
            try:
                get(key, entry.path)
            except (Damaged, ValueError):
                self._discard(entry.path)
                yield kind, key
            except OSError:  # gone meanwhile, or not to be read just now
                continue

    def _check_result(self, key: str, path: Path) -> None:
        digests.check_folder(path)
        try:
            Result.load(path)
        except Refused as error:
            if _errno(error.__cause__ or error) is not None:
                raise OSError(errno.EIO, str(error)) from error
            raise

    def _check_document(self, key: str, path: Path) -> None:
        json.loads(digests.unseal(path.read_bytes()))

    def _check_input(self, digest: str, path: Path) -> None:
        if digests.digest_of_file(path) != digest:
            raise Damaged("its digest is another one")

    def _entries(self) -> Iterator[_Entry]:
        """Everything kept. A result's last use is its arrays' time; the JSON's time is when it was made."""
        for rank, name in enumerate(KINDS):
            for entry in _scan(self.root / name):
                with contextlib.suppress(OSError):
                    about = entry.stat()
                    size = about.st_size
                    if rank == 0:
                        about = os.stat(entry.path + "/arrays.safetensors")
                        size = _bytes(Path(entry.path))
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
        if is_key(digest):
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

    def _read_json(self, path: Path, noun: str, digest: str = "") -> dict[str, Any]:
        """The JSON of a document, or of an input whose file has this `digest`."""
        try:
            content = path.read_bytes()
            if digest and digests.digest_of(content) != digest:
                raise Damaged("its digest is another one")
            found = json.loads(content if digest else digests.unseal(content))
        except OSError as error:
            raise Refused(f"{noun} {_GONE}") from error
        except ValueError as error:
            self._discard(path)
            raise Refused(f"{noun} was damaged on disk and {_GONE}") from error
        _use(path)
        return found

    def _put_file(self, path: Path, content: bytes) -> int:
        """Write a file named by its content, if it is not there already; returns the bytes written."""
        with contextlib.suppress(OSError):
            if path.stat().st_size == len(content) and path.read_bytes() == content:
                _use(path)
                return 0
        self._write(path, content)
        return len(content)

    def _write(self, path: Path, content: bytes) -> None:
        """Put `content` at `path`, whole and on the disk itself."""
        with self._writing() as part:
            part.write_bytes(content)
            digests.settle(part)
            os.replace(part, _ready(path))

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
        trash = self.root / "tmp" / _piece()
        with contextlib.suppress(OSError):
            os.rename(path, _ready(trash))
            _remove(trash)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Path]:
        """A place to write beside the store's own; what is left there is deleted. Disk errors become sentences."""
        part = self.root / "tmp" / _piece()
        try:
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
    if not is_key(key):
        raise Refused(f"{str(key)[:80]!r} is not a key: a key is 64 characters from 0-9 and a-f")
    return key


def _json(value: Any) -> str:
    """The one JSON text of `value`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _ready(path: Path) -> Path:
    """Make the folder of `path`, and the store's own, for their owner only: inputs may be about people."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _piece() -> str:
    """A name for something in writing, which says who writes it: the machine and the process."""
    return f"{_machine()}-{os.getpid()}-{uuid.uuid4().hex}"


@functools.cache
def _machine() -> str:
    """What tells apart the machines, and the containers of one, whose process numbers mean different processes."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return digests.digest_of(f"{socket.gethostname()} {space}".encode())[:12]


def _abandoned(piece: os.DirEntry[str]) -> bool:
    """Whether who wrote a piece is dead; of a writer elsewhere, whether that was long ago. Raises `OSError`."""
    machine, _, rest = piece.name.partition("-")
    process = rest.partition("-")[0]
    if machine == _machine() and process.isdigit() and not _alive(int(process)):
        return True
    return piece.stat().st_mtime < time.time() - ABANDONED


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _bytes(path: Path) -> int:
    """The bytes of a file, or of all files of a folder; 0 for what is gone."""
    if not path.is_dir():
        with contextlib.suppress(OSError):
            return path.stat().st_size
        return 0
    return sum(entry.stat().st_size for entry in _scan(path))


def _said(error: OSError) -> str:
    return os.strerror(error.errno or errno.EIO).lower()


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


def _checked_parts(raw: Any) -> Mapping[str, Any]:
    """`raw`, if an input may have such parts. Raises `Refused`."""
    if not isinstance(raw, Mapping) or not raw or set(raw) - {*TEXTS, *IDS, "image"}:
        found = sorted(map(str, raw)) if isinstance(raw, Mapping) else type(raw).__name__
        raise Refused(f"an input has a text, an image or both, not {str(found)[:80]}")
    return raw


def _plain_input(raw: Mapping[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """An input as it is written, its image by its digest, and the bytes of the image."""
    plain: dict[str, Any] = {name: _ids(name, raw[name]) for name in IDS if name in raw}
    plain |= {name: _text(raw[name]) for name in TEXTS if name in raw}
    if "image" not in raw:
        return plain, None
    data = _image(raw["image"])
    return plain | {"image": digests.digest_of(data)}, data


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

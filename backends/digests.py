"""Digests of what is kept on disk, so that a flipped bit or a cut file is noticed when it is read, and never served.

A folder has its files' digests in a file beside them, which `sha256sum --check` reads too; a JSON text carries its own
in a last line. What an older Vitrine wrote has neither and is taken as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

SUMS = "SHA256SUMS"
"""The file of a folder that has the digests of the others."""

_LINE = re.compile(rb"([0-9a-f]{64})  ([\w.]+)")
_MARK = b"\n#sha256 "


class Damaged(ValueError):
    """What was read is not what was written."""


def digest_of(content: bytes) -> str:
    """Return the sha256 of `content`, 64 hex characters."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file, 64 hex characters. Raises `OSError`."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(text: str) -> bytes:
    """Return `text`, which has one line, with its own digest in a second one."""
    content = text.encode()
    return content + _MARK + digest_of(content).encode() + b"\n"


def unseal(content: bytes) -> bytes:
    """Return what `seal` was given; what has no digest comes as it is. Raises `Damaged`."""
    text, mark, line = content.partition(_MARK)
    if mark and line != digest_of(text).encode() + b"\n":
        raise Damaged("its digest is another one")
    return text


def seal_folder(folder: Path) -> None:
    """Write the digests of all files of `folder` beside them. Raises `OSError`."""
    lines = [f"{digest_of_file(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_bytes("".join(lines).encode())


def check_folder(folder: Path, *names: str) -> None:
    """Check the files `names` of `folder`, which are all unless some are named, against the digests beside them.

    A folder without digests passes. Raises `Damaged`, and `OSError` where a file cannot be read.
    """
    try:
        lines = (folder / SUMS).read_bytes().splitlines()
    except FileNotFoundError:
        return
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2].decode(): match[1].decode() for match in found if match}
    there = {path.name for path in folder.iterdir()} - {SUMS}
    if not all(found) or not sums or set(sums) != there:
        raise Damaged("its list of digests is not whole")
    for name in names or sums:
        if digest_of_file(folder / name) != sums.get(name):
            raise Damaged(f"the digest of {name} is another one")


def settle(path: Path) -> None:
    """Have a file, or the files of a folder, on the disk itself, readable by their owner only. Raises `OSError`."""
    for file in path.iterdir() if path.is_dir() else (path,):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Which models there are: bundled ones, local folders, hub ids. Loads neither torch nor transformers."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.errors import Refused

BUNDLED = Path(__file__).parent / "bundled" / "models"
HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?\Z", re.ASCII)
ORDER = ("text-classification", "causal-lm", "image-classification")
"""The order of the gallery."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja")


@dataclass(frozen=True)
class Source:
    """Where a model's files are. `revision` changes whenever they do; `path` is None until a hub id is fetched."""

    name: str
    kind: str
    path: Path | None
    revision: str


@cache
def bundled() -> tuple[Mapping[str, Any], ...]:
    """The cards of the models that ship with Vitrine, in the order of the gallery."""
    cards = (_read_card(path) for path in BUNDLED.glob("*/card.json"))
    return tuple(sorted(cards, key=lambda card: (ORDER.index(card["task"]), card["name"])))


def _read_card(path: Path) -> Mapping[str, Any]:
    """A shipped card, with whether the network is a transformer: known before it is opened."""
    config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    transformer = any(name in config for name in ("num_attention_heads", "n_head"))
    return {**json.loads(path.read_text(encoding="utf-8")), "transformer": transformer}


def card(name: str) -> Mapping[str, Any]:
    """The card that ships with `name`; empty for a model that ships none."""
    return next((c for c in bundled() if c["name"] == name), {})


def resolve(name: str) -> Source:
    """Where `name` is: `bundled/<name>`, a folder, or a hub id. Nothing is fetched. Raises `Refused`."""
    name = str(name).strip()
    if not name:
        raise Refused("no model named; give bundled/triage, a hub id such as gpt2, or the path of a folder")
    if name.startswith("bundled/"):
        there = [c["name"] for c in bundled()]
        if name not in there:
            raise Refused(f"no bundled model {name[:80]!r}; there are: {', '.join(there)}")
        folder = BUNDLED / name.removeprefix("bundled/")
        return Source(name, "bundled", folder, _fingerprint(folder))
    if name.startswith(("/", "./", "../", "~")) or Path(name).is_dir():
        folder = _folder(name)
        return Source(name, "folder", folder, _fingerprint(folder))
    if not HUB_ID.match(name) or ".." in name:
        raise Refused(f"{name[:80]!r} is neither a folder here nor a hub id such as gpt2 or org/name")
    return Source(name, "hub", None, "hub")


def fetch(source: Source) -> Source:
    """The same source with its files on this machine; a hub id is downloaded, without pickles. Raises `Refused`."""
    if source.path is not None:
        return source
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        revision = HfApi().model_info(source.name, timeout=6).sha
        path = snapshot_download(source.name, revision=revision, allow_patterns=list(WANTED), etag_timeout=6)
    except GatedRepoError:
        raise Refused(f"{source.name!r} is gated: accept its terms on the hub, then run `hf auth login`") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise Refused(f"the hub has no public model {source.name!r}; check the spelling, or give a folder") from None
    except Exception as error:  # no network: the hub's client raises many kinds
        try:
            path = snapshot_download(source.name, allow_patterns=list(WANTED), local_files_only=True)
        except Exception:
            raise Refused(
                f"{source.name!r} is not on this machine and the hub cannot be reached ({type(error).__name__}); "
                "connect it, or give the path of a folder that holds the model"
            ) from None
        revision = Path(path).name
    folder = _checked(Path(path), source.name)
    return Source(source.name, "hub", folder, str(revision))


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise Refused(f"{name[:200]!r} {what}; give the folder that holds config.json and *.safetensors")
    roots = [Path(r).expanduser().resolve() for r in os.environ.get("VITRINE_ROOTS", "").split(os.pathsep) if r]
    if roots and not any(folder.resolve().is_relative_to(root) for root in roots):
        raise Refused(f"folders are opened only below {', '.join(map(str, roots))}, and {name[:200]!r} is not")
    return _checked(folder.resolve(), name)


def _checked(folder: Path, name: str) -> Path:
    """`folder`, if it can be opened without running anybody's code."""
    if not (folder / "config.json").is_file():
        raise Refused(f"{name[:200]!r} has no config.json; a model saved with save_pretrained() has one")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)
        found = f"it has {pickles[0]}, a format that can run code when opened" if pickles else "it has no weights"
        raise Refused(f"{name[:200]!r} has no *.safetensors: {found}; save it with save_pretrained() first")
    return folder


def _fingerprint(folder: Path) -> str:
    """Changes when a file that decides the model's output does: contents of small files, size and time of large."""
    names = sorted(p for pattern in WANTED for p in folder.glob(pattern) if p.name != "card.json")
    stamp = tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in names)
    return _digest(folder, stamp)


@cache
def _digest(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, time in stamp:
        digest.update(f"{name}:{size}:".encode())
        digest.update((folder / name).read_bytes() if size < 2**26 else str(time).encode())
    return digest.hexdigest()[:16]

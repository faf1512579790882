"""Which models there are: bundled ones, local folders, hub ids. Loads neither torch nor transformers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from backends import folders
from backends.errors import Refused, Unsettled
from backends.load_options import DEFAULT, Settings, split

BUNDLED = Path(__file__).parent / "bundled" / "models"
HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?\Z", re.ASCII)
ORDER = ("text-classification", "causal-lm", "image-classification", "text-to-image")
"""The order of the gallery."""
WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja")
PIPELINE = "model_index.json"
"""What a diffusers pipeline has in place of a config.json; its networks lie in folders of their own."""
VARIANTS = ("*.fp16.safetensors", "*.bf16.safetensors", "*non_ema*")
"""Second copies of a pipeline's weights."""


@dataclass(frozen=True)
class Source:
    """Where a model's files are, and how it is opened. `revision` changes whenever either does.

    `name` ends with the settings that are not the default's; `path` is None until a hub id is fetched.
    """

    name: str
    kind: str
    path: Path | None
    revision: str
    settings: Settings = DEFAULT

    @property
    def bare(self) -> str:
        """The name without the settings."""
        return self.name.removesuffix(self.settings.suffix)


@cache
def bundled() -> tuple[Mapping[str, Any], ...]:
    """The cards of the models that ship with Vitrine, in the order of the gallery."""
    cards = (_read_card(path) for path in BUNDLED.glob("*/card.json"))
    return tuple(sorted(cards, key=lambda card: (ORDER.index(card["task"]), card["name"])))


def _read_card(path: Path) -> Mapping[str, Any]:
    """A shipped card, with whether the network is a transformer: known before it is opened."""
    pipeline = (path.parent / PIPELINE).is_file()
    config = {} if pipeline else json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    transformer = any(name in config for name in ("num_attention_heads", "n_head"))
    return {**json.loads(path.read_text(encoding="utf-8")), "transformer": transformer}


def expected_offers(card: Mapping[str, Any]) -> frozenset[str]:
    """What a shipped model of this card offers at least, known before it is opened."""
    if card["task"] == "text-to-image":
        return frozenset({"denoising", "cross_attention"})
    every = {"answer", "gradient", "one_stack"}
    return frozenset(every | {"attention", "heads", "residual"} if card["transformer"] else every)


def card(name: str) -> Mapping[str, Any]:
    """The card that ships with `name`, whatever its settings; empty for a model that ships none."""
    bare = name.partition("?")[0]
    return next((c for c in bundled() if c["name"] == bare), {})


def shipped(name: str) -> Path:
    """The folder of the bundled model `name`, whatever its settings."""
    return BUNDLED / name.partition("?")[0].removeprefix("bundled/")


def examples(name: str) -> tuple[dict[str, Any], ...]:
    """The inputs that ship with `name`, as texts or paths of pictures; empty for a model that ships none."""
    given = [example["input"] for example in card(name).get("examples", ())]
    files = [(shipped(name) / text, text) for text in given if isinstance(text, str)]
    return tuple({"image": str(path)} if path.is_file() else {"text": text} for path, text in files)


def resolve(name: str) -> Source:
    """Where `name` is: `bundled/<name>`, a folder, or a hub id, with settings after a question mark.

    Nothing is fetched. Raises `Refused`.
    """
    bare, settings = split(str(name).strip())
    found = _find(bare)
    return _set(found, settings) if settings != DEFAULT else found


def _set(source: Source, settings: Settings) -> Source:
    """The source with settings: its name and its revision tell them."""
    name, revision = source.name + settings.suffix, source.revision + settings.suffix
    return replace(source, name=name, revision=revision, settings=settings)


def _find(name: str) -> Source:
    """The source of a name without settings."""
    if not name:
        raise Refused("no model named; give bundled/triage, a hub id such as gpt2, or the path of a folder")
    if name.startswith("bundled/"):
        there = [c["name"] for c in bundled()]
        if name not in there:
            raise Refused(f"no bundled model {name[:80]!r}; there are: {', '.join(there)}")
        folder = shipped(name)
        return Source(name, "bundled", folder, _compute_fingerprint(folder))
    if name.startswith(("/", "./", "../", "~")) or _is_folder(name):
        folder = _folder(name)
        return Source(name, "folder", folder, _compute_fingerprint(folder))
    if not HUB_ID.match(name) or ".." in name:
        raise Refused(f"{name[:80]!r} is neither a folder here nor a hub id such as gpt2 or org/name")
    return Source(name, "hub", None, "hub")


def _is_folder(name: str) -> bool:
    """Whether a folder of this name is here; a name that no system takes is none."""
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False


def configured(name: str) -> Source:
    """Like `resolve`, with config.json on this machine and no need for weights: what a forecast asks for.

    Of a hub id only config.json is downloaded. Raises `Refused`.
    """
    bare, settings = split(str(name).strip())
    if not bare.startswith("bundled/") and _is_folder(bare):
        found = Source(bare, "folder", _folder(bare, weights=False), "config")
    else:
        found = _find(bare)
    if found.kind == "hub":
        found = replace(found, path=_fetch_config(found))
    return _set(found, settings) if settings != DEFAULT else found


def _fetch_config(source: Source) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source.bare, "config.json", etag_timeout=6)).parent
    except Exception as error:  # no network, no such model, gated: the hub's client raises many kinds
        raise Unsettled(f"the config of {source.bare!r} cannot be fetched ({type(error).__name__})") from None


def fetch(source: Source) -> Source:
    """The same source with its files on this machine; a hub id is downloaded, without pickles. Raises `Refused`."""
    if source.path is not None:
        return source
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        about = HfApi().model_info(source.bare, timeout=6)
        revision = about.sha
        some: Any = _choose_patterns([file.rfilename for file in getattr(about, "siblings", None) or ()])
        path = snapshot_download(source.bare, revision=revision, etag_timeout=6, **some)
    except GatedRepoError:
        raise Unsettled(f"{source.bare!r} is gated: accept its terms on the hub, then run `hf auth login`") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise Refused(f"the hub has no public model {source.bare!r}; check the spelling, or give a folder") from None
    except Exception as error:  # no network: the hub's client raises many kinds
        try:
            path = snapshot_download(source.bare, allow_patterns=list(WANTED), local_files_only=True)
        except Exception:
            raise Unsettled(
                f"{source.bare!r} is not on this machine and the hub cannot be reached ({type(error).__name__}); "
                "connect it, or give the path of a folder that holds the model"
            ) from None
        revision = Path(path).name
    folder = _check_folder(Path(path), source.bare)
    return _set(Source(source.bare, "hub", folder, str(revision)), source.settings)


def _choose_patterns(names: Sequence[str]) -> dict[str, list[str]]:
    """Which of a hub model's files are fetched: of a pipeline only its parts, each once, not the same in one file."""
    if PIPELINE not in names:
        return {"allow_patterns": list(WANTED)}
    return {"allow_patterns": [PIPELINE, *(f"*/{p}" for p in WANTED)], "ignore_patterns": list(VARIANTS)}


def _folder(name: str, weights: bool = True) -> Path:
    folder = folders.find_path(name, "folder")
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise Refused(f"{name[:200]!r} {what}; give the folder that holds config.json and *.safetensors")
    return _check_folder(folder, name, weights)


def _check_folder(folder: Path, name: str, weights: bool = True) -> Path:
    """`folder`, if it can be opened without running anybody's code; with `weights` False its config is enough."""
    inner = "*/" if (folder / PIPELINE).exists() else ""
    if not inner and not (folder / "config.json").exists():
        raise Refused(f"{name[:200]!r} has no config.json; a model saved with save_pretrained() has one")
    if weights and not any(folder.glob(f"{inner}*.safetensors")):
        pickles = sorted(p.name for p in folder.glob(f"{inner}*") if p.suffix in folders.PICKLES)
        found = f"it has {pickles[0]}, a format that can run code when opened" if pickles else "it has no weights"
        raise Refused(f"{name[:200]!r} has no *.safetensors: {found}; save it with save_pretrained() first")
    folders.check_model(folder, name, weights)
    return folder


def _compute_fingerprint(folder: Path) -> str:
    """Changes when a file that decides the model's output does: contents of small files, size and time of large."""
    inner = ("", "*/") if (folder / PIPELINE).is_file() else ("",)
    found = {p for part in inner for pattern in WANTED for p in folder.glob(part + pattern) if p.name != "card.json"}
    stamp = tuple((str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(found))
    return _digest(folder, stamp)


@cache
def _digest(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, time in stamp:
        digest.update(f"{name}:{size}:".encode())
        digest.update((folder / name).read_bytes() if size < 2**26 else str(time).encode())
    return digest.hexdigest()[:16]

"""A stranger's folder, looked at before any library reads it: where it lies, what it holds, what its config claims.

Everything here is cheap: sizes before contents, headers before weights. Loads neither torch nor transformers.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from backends import settings
from backends.errors import Refused

NOWHERE = "none"
"""The value of `VITRINE_ROOTS` that opens no folder at all."""
MOST_JSON = {"config.json": 16 * 2**20, "model_index.json": 2**20, "tokenizer.json": 128 * 2**20}
"""Bytes that a JSON file may have; the vocabularies of today's largest tokenizers take about 35 MB."""
MOST_OTHER = 64 * 2**20
MOST_HEADER = 100 * 2**20
"""Bytes of a safetensors header, as the format's own reader bounds it."""
MOST_LABELS = 100_000
MOST_SIZE = 2**27
"""The largest number that a config may claim as the size of anything."""
MOST_RULE = 10_000
"""Characters of one string in a tokenizer's rules; the longest patterns in use have a few hundred."""
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers", "depth")
WIDTHS = ("hidden_size", "n_embd", "d_model", "dim", "intermediate_size", "d_ff", "n_inner", "vocab_size")
COUNTS = ("num_attention_heads", "n_head", "num_heads", "num_key_value_heads", "max_position_embeddings", "n_positions")
NESTED = ("text_config", "vision_config", "audio_config", "encoder", "decoder")
KERNELS = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
INDEX = ".safetensors.index.json"


def list_roots() -> list[Path] | None:
    """Return the folders below which data and models may be opened; empty: nowhere, None: anywhere."""
    said = settings.value("VITRINE_ROOTS")
    if said == NOWHERE:
        return []
    return settings.folders("VITRINE_ROOTS") if said else None


def find_path(given: str, what: str) -> Path:
    """Return the path that a person gave, resolved, if it may be looked at; `what` is "folder" or "data".

    Whether anything is there is not told of a path outside the roots. Raises `Refused`.
    """
    roots = list_roots()
    shown = repr(given[:200])
    try:
        path = Path(given).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # a name too long, a loop of links, ~nobody, a zero byte
        raise Refused(f"{shown} is no path on this machine; check the spelling") from None
    if roots == []:
        raise Refused(
            f"this server opens no {what} from its own disk, so not {shown}; upload a file, choose a bundled model, or "
            "ask whoever runs it to name a folder in VITRINE_ROOTS"
        )
    if roots is not None and not any(path.is_relative_to(root) for root in roots):
        may = "data is read" if what == "data" else "folders are opened"
        raise Refused(f"{may} only below {', '.join(map(str, roots))}, and {shown} is not")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # whoever asked says what is missing
    except PermissionError:
        raise Refused(f"{shown} cannot be looked at: this server has no permission") from None
    except OSError:
        raise Refused(f"{shown} is no path on this machine; check the spelling") from None
    return path


def check_file(path: Path, most: int | None = None, roots: Sequence[Path] | None = None) -> os.stat_result:
    """Return the facts of a regular file that can be read. Raises `Refused` on a pipe, a device, a size, a link out."""
    try:
        facts = path.stat()
    except PermissionError:
        raise Refused(f"{path.name[:80]!r} cannot be read: this server has no permission") from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", "") or "no such file").lower()
        raise Refused(f"{path.name[:80]!r} cannot be read: {why}") from None
    if not stat.S_ISREG(facts.st_mode):
        raise Refused(f"{path.name[:80]!r} is {_name_kind(facts.st_mode)}, not a file; only files are read")
    if most is not None and facts.st_size > most:
        raise Refused(f"{path.name[:80]!r} has {_megabytes(facts.st_size)}; at most {_megabytes(most)} are read")
    if roots is not None and not any(path.resolve().is_relative_to(root) for root in roots):
        raise Refused(f"{path.name[:80]!r} is a link that leads outside the folders that may be read")
    if not os.access(path, os.R_OK):
        raise Refused(f"{path.name[:80]!r} cannot be read: this server has no permission")
    return facts


def _name_kind(mode: int) -> str:
    kinds = {
        stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }  # fmt: skip
    return next((said for test, said in kinds.items() if test(mode)), "a special file")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB" if size >= 2**20 else f"{size:,} bytes"


def read_json(path: Path, most: int | None = None) -> Any:
    """Return what a JSON file holds. Raises `Refused` on a size, damage, or a depth that no config has."""
    check_file(path, most or MOST_JSON.get(path.name, MOST_OTHER))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise Refused(f"{path.name!r} is nested too deeply to be read") from None
    except (OSError, ValueError) as error:
        raise Refused(f"{path.name!r} cannot be read as JSON ({str(error)[:80]})") from None


def check_model(folder: Path, name: str, weights: bool = True) -> None:
    """Check everything that the libraries would read of a model's folder. Raises `Refused`.

    `weights` False asks for the config only. What was found good is remembered until a file changes.
    """
    roots = list_roots()
    inner = _parts(folder)
    stamp = []
    for part in inner:
        for path in sorted(part.iterdir()):
            if path.suffix in (".json", ".safetensors", ".txt", ".model", ".jinja") and not path.is_dir():
                most = None if path.suffix == ".safetensors" else MOST_JSON.get(path.name, MOST_OTHER)
                facts = check_file(path, most, roots)
                stamp.append((str(path), facts.st_size, facts.st_mtime_ns))
    _check_contents(tuple(inner), tuple(stamp), name, weights)


def _parts(folder: Path) -> list[Path]:
    """The folder, and of a pipeline the folders of its networks."""
    try:
        inner = [p for p in sorted(folder.iterdir()) if p.is_dir()] if (folder / "model_index.json").exists() else []
        return [folder, *inner]
    except PermissionError:
        raise Refused(f"{folder.name[:80]!r} cannot be read: this server has no permission") from None


@cache
def _check_contents(parts: tuple[Path, ...], stamp: tuple[Any, ...], name: str, weights: bool) -> None:
    for part in parts:
        config = part / "config.json"
        shapes = read_shapes(part) if weights else {}
        if config.exists():
            about = read_json(config)
            if not isinstance(about, dict):
                raise Refused(f"{name[:80]!r}: config.json holds {_describe(about)}, not the settings of a model")
            _check_config(about, shapes, name)
        for index in part.glob(f"*{INDEX}"):
            check_index(index)
        if (part / "tokenizer.json").exists():
            _check_rules(read_json(part / "tokenizer.json"), name)


def _describe(value: Any) -> str:
    return {list: "a list", str: "a text", int: "a number", float: "a number"}.get(type(value), "something else")


def check_index(index: Path) -> tuple[str, ...]:
    """Return the names of the shards that an index of weights lists. Raises `Refused` on one that leads out."""
    about = read_json(index)
    listed = about.get("weight_map") if isinstance(about, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(shard, str) for shard in listed.values()):
        raise Refused(f"{index.name!r} does not list which file holds which weight; save the model again")
    shards = tuple(sorted(set(listed.values())))
    for shard in shards:
        if "/" in shard or "\\" in shard or shard.startswith("."):
            raise Refused(f"{index.name!r} names the file {shard[:60]!r} outside the folder; weights lie beside it")
        if shard.endswith(PICKLES):
            raise Refused(f"{index.name!r} names {shard[:60]!r}, a format that can run code when opened")
        if not (index.parent / shard).exists():
            raise Refused(f"{index.name!r} names {shard[:60]!r}, which is not there; copy all files of the model")
    return shards


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in the folder's safetensors files, from their headers alone.

    A file that is no safetensors file is left to its own reader, which says what is wrong.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, about in _read_header(path):
            shape = about.get("shape") if isinstance(about, dict) else None
            if isinstance(shape, list) and all(type(side) is int and side >= 0 for side in shape):
                found[name] = tuple(shape)
    return found


def _read_header(path: Path) -> Iterator[tuple[str, Any]]:
    size = check_file(path).st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if length > min(size - 8, MOST_HEADER):
            return
        try:
            header = json.loads(file.read(length) or "{}")
        except (ValueError, RecursionError):
            return
    yield from header.items() if isinstance(header, dict) else ()


def _check_config(about: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Refuse a config that claims what no network has, or what these weights cannot hold."""
    shown = repr(name[:80])
    named = about.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(a, str) for a in named)):
        raise Refused(f"{shown}: config.json names its architecture as {_describe(named)}; it must be a list of names")
    for key in ("_attn_implementation", "attn_implementation"):
        kernel = about.get(key)
        if kernel is not None and kernel not in KERNELS:
            raise Refused(f"{shown}: config.json asks for the attention {str(kernel)[:60]!r}, code from elsewhere")
    _check_labels(about, shown)
    widest = max((max(shape, default=0) for shape in shapes.values()), default=0)
    _check_sizes(about, len(shapes), widest, any("position" in key or "wpe" in key for key in shapes), shown)


def _check_labels(about: Mapping[str, Any], shown: str) -> None:
    labels = about.get("id2label")
    if not isinstance(labels, Mapping):
        return
    if len(labels) > MOST_LABELS:
        raise Refused(f"{shown}: config.json names {len(labels):,} classes; at most {MOST_LABELS:,} are shown")
    for key, label in labels.items():
        try:
            str(label).encode()
        except UnicodeEncodeError:
            raise Refused(f"{shown}: the name of class {key} in config.json is half a character, no text") from None


def _check_sizes(about: Mapping[str, Any], tensors: int, widest: int, placed: bool, shown: str) -> None:
    """Compare the sizes that a config claims with the weights' own, where weights were read (`tensors` > 0)."""
    for key in (*LAYERS, *WIDTHS, *COUNTS):
        value = about.get(key)
        if value is None or isinstance(value, (list, Mapping)):
            continue
        if type(value) is not int or not 0 <= value <= MOST_SIZE or (value == 0 and key in LAYERS + COUNTS):
            raise Refused(f"{shown}: config.json says {key} = {str(value)[:40]}, which no network has")
        if tensors and key in LAYERS and value > tensors:
            raise Refused(
                f"{shown}: config.json says {key} = {value:,}, and its weights hold {tensors:,} tensors in all"
            )
        bound = key in WIDTHS or (placed and key in ("max_position_embeddings", "n_positions"))
        if tensors and bound and value > widest:
            raise Refused(f"{shown}: config.json says {key} = {value:,}, and no side of its weights is over {widest:,}")
    for key in NESTED:
        if isinstance(about.get(key), Mapping):
            _check_sizes(about[key], tensors, widest, placed, shown)


def _check_rules(about: Any, name: str) -> None:
    """Refuse a tokenizer whose rules hold a text of a length that no rule has: it would be applied to every input."""
    if not isinstance(about, Mapping):
        raise Refused(f"{name[:80]!r}: tokenizer.json holds {_describe(about)}, not a tokenizer")
    for part in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        longest = max(map(len, _texts(about.get(part))), default=0)
        if longest > MOST_RULE:
            raise Refused(
                f"{name[:80]!r}: the {part} of tokenizer.json holds a text of {longest:,} characters; "
                f"at most {MOST_RULE:,} make sense there"
            )


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one

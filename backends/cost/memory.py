"""Memory: what a device has free, what a model's files need of it, and what an open model holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from backends import catalog, settings
from backends.errors import Crowded
from backends.load_options import BYTES, Settings

if TYPE_CHECKING:
    from backends.models.base import Model

SPARE = 2**28
"""Bytes left free beside a model's weights: what a short run and the libraries need."""
GIB = 2**30


def measure_free_bytes(device: str = "cpu") -> int:
    """Return the bytes that are free on `device`: of the computer, of one GPU, or of all GPUs for `auto`."""
    import torch

    if device == "auto":
        return sum(torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count()))
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    there = int(psutil.virtual_memory().available)
    limit, used = (_read_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    cache = _read_cached_bytes()
    return min(there, limit - used + cache) if limit and used is not None else there


def _read_number(path: str) -> int | None:
    """Return the whole number that a file of the system holds, None where it holds none."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _read_cached_bytes() -> int:
    """Return the bytes of cached files, which count against the container's limit though they can be dropped."""
    try:
        lines = Path("/sys/fs/cgroup/memory.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError, StopIteration):
        return 0


def count_weight_bytes(source: catalog.Source) -> int:
    """Return the bytes of a fetched source's weights in its dtype: the numbers in its files times their width."""
    return _count_numbers(Path(str(source.path))) * source.settings.width


def _count_numbers(folder: Path) -> int:
    """Count the numbers that the safetensors of a folder hold, by their headers."""
    total = 0
    for file in _find_weight_files(folder):
        with file.open("rb") as data:
            size = int.from_bytes(data.read(8), "little")
            header = json.loads(data.read(min(size, 2**27)))
        total += sum(math.prod(about["shape"]) for name, about in header.items() if name != "__metadata__")
    return total


def _find_weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights, once: some folders hold them twice, cut in another way."""
    if (folder / catalog.PIPELINE).is_file():
        return sorted(folder.glob("*/*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / name for name in sorted(named) if (folder / name).is_file()]
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))


def check_fits(source: catalog.Source, device: str, others: int = 0) -> int:
    """Return the bytes of the source's weights, if they fit on `device` once `others` bytes are given back there.

    Raises `Crowded` where they do not: what is needed, what is free, and which dtype would fit.
    """
    try:
        need = count_weight_bytes(source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged: opening says how
        return 0
    room = measure_free_bytes(device) + others - SPARE
    if need <= room:
        return need
    numbers = need // source.settings.width
    there = f"{source.bare!r} needs {format_bytes(need)} for its weights in {source.settings.dtype}"
    raise Crowded(f"{there}, and {device} has {format_bytes(max(room, 0))} free; {_advise(source, numbers, room)}")


def _advise(source: catalog.Source, numbers: int, room: int) -> str:
    """Say what would fit in `room` bytes."""
    fitting = [dtype for dtype in ("bfloat16", "float16") if numbers * BYTES[dtype] <= room]
    if fitting and BYTES[fitting[0]] < source.settings.width:
        name = source.bare + Settings(fitting[0], source.settings.device).suffix
        return f"in {fitting[0]} it needs {format_bytes(numbers * BYTES[fitting[0]])}: open {name!r}"
    if numbers <= room and source.settings.load != "8bit":
        return f"with load=8bit (needs bitsandbytes) it takes {format_bytes(numbers)}"
    return "use a smaller model, a device with more memory, or device=auto to spread it over several GPUs"


def count_held_bytes(model: Model) -> int:
    """Return the bytes of an open model's weights and buffers; what is shared counts once."""
    tensors = [*model.module.parameters(), *model.module.buffers()]
    return sum({t.data_ptr(): t.numel() * t.element_size() for t in tensors}.values())


def format_bytes(size: float) -> str:
    """Write a number of bytes as a person reads it."""
    return f"{size / GIB:.1f} GB" if size >= GIB else f"{size / 2**20:.0f} MB"


def read_budget() -> int:
    """Return VITRINE_MODEL_GB in bytes. Raises `Refused` when it is no number."""
    return int(settings.number("VITRINE_MODEL_GB") * GIB)

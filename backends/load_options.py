"""How a model is opened, written after its name: `gpt2?dtype=bfloat16&device=cuda:0`. Loads no torch.

They are part of the name so that a link, a request, a cache key, a script and the command line carry them alike.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from backends.errors import Refused

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""The dtypes a model may be opened in, with the bytes of one number."""
DEVICES = "cpu, cuda, cuda:0 (or another number), mps, auto"
LOADS = ("8bit",)
_DEVICE = re.compile(r"cpu|cuda(:\d{1,2})?|mps|auto", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """In which dtype a model is opened, on which device ("": the machine's own choice), and whether in 8 bits.

    The device `auto` spreads it over all GPUs.
    """

    dtype: str = "float32"
    device: str = ""
    load: str = ""

    @property
    def suffix(self) -> str:
        """What stands after the name: the settings that are not the default's, in their own order."""
        changed = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]
        said = "&".join(f"{name}={value}" for name, value in changed if value != getattr(DEFAULT, name))
        return f"?{said}" if said else ""

    @property
    def width(self) -> int:
        """Bytes of one weight."""
        return 1 if self.load == "8bit" else BYTES[self.dtype]


DEFAULT = Settings()


def split(name: str) -> tuple[str, Settings]:
    """The name without its settings, and the settings. Raises `Refused` on settings that mean nothing."""
    bare, mark, said = name.rpartition("?")
    if not mark or "=" not in said:
        return name, DEFAULT
    pairs = [pair.partition("=") for pair in said.split("&") if pair]
    return bare, checked({key.strip(): value.strip() for key, _, value in pairs})


def checked(given: Mapping[str, str]) -> Settings:
    """The settings that these names and values mean; empty values are the default. Raises `Refused`."""
    strange = next((key for key in given if key not in ("dtype", "device", "load")), None)
    if strange is not None:
        raise Refused(f"no setting {strange[:40]!r} of a model; there are: dtype, device, load")
    dtype, device, load = given.get("dtype") or "float32", given.get("device", ""), given.get("load", "")
    if dtype not in BYTES:
        raise Refused(f"no dtype {dtype[:40]!r}; there are: {', '.join(BYTES)}")
    if device and not _DEVICE.fullmatch(device):
        raise Refused(f"no device {device[:40]!r}; there are: {DEVICES}")
    if load and load not in LOADS:
        raise Refused(f"no way {load[:40]!r} to load a model; there is: {', '.join(LOADS)}")
    return Settings(dtype, device, load)

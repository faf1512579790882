"""Every setting that the environment carries: one list, read here and nowhere else.

A new setting is one more line of `SETTINGS`; the tables of README and docs are written from it (`make tables`).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backends.errors import Refused


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, the value where nothing is set, the kind of that value, and what it does.

    Of kind "number" it is 0 or more, of kind "whole" a whole number, of kind "folders" paths that the system's
    path separator divides.
    """

    name: str
    default: str
    kind: Literal["text", "number", "whole", "folders"]
    does: str
    unset: str = "–"
    """What the tables say for an empty default."""


SETTINGS = (
    Setting("HOST", "127.0.0.1", "text", "the address on which the pages are served"),
    Setting("PORT", "8050", "whole", "the port on which the pages are served"),
    Setting("VITRINE_STORE", ".vitrine", "text", "the folder of results and inputs"),
    Setting("VITRINE_STORE_GB", "4", "number", "what the store keeps, in GiB; what was used longest ago goes first"),
    Setting(
        "VITRINE_ROOTS",
        "",
        "folders",
        "folders below which models and data may be opened, separated by `:`; `none` opens nothing from this disk",
        unset="anywhere; `none` where the pages are served beyond this machine",
    ),
    Setting(
        "VITRINE_DEVICE", "", "text", "`cpu`, `cuda`, `cuda:1`, `mps` or `auto`", unset="the GPU when there is one"
    ),
    Setting(
        "VITRINE_MODEL_GB",
        "8",
        "number",
        "weights and buffers kept open at once, in GiB; the model used longest ago goes first",
    ),
    Setting("VITRINE_QK_GB", "0.5", "number", "queries and keys of long texts kept between looks, in GiB"),
    Setting(
        "VITRINE_PLUGINS",
        "",
        "folders",
        "folders with methods, families, jobs, measures, figures and pages of your own, separated by `:`",
        unset="none",
    ),
    Setting(
        "VITRINE_TOKEN",
        "",
        "text",
        "what a browser must know to be let in; `none` lets everybody in",
        unset="none on loopback, else a new one at each start",
    ),
    Setting(
        "VITRINE_HOSTS",
        "",
        "text",
        "further names, divided by commas, under which the server is reached, such as that of its proxy",
        unset="this machine's name and addresses",
    ),
    Setting("VITRINE_PROXY", "", "text", "the address of a reverse proxy that tells which clients it speaks for"),
    Setting("VITRINE_CONNECTIONS", "2000", "whole", "connections held at once"),
    Setting("VITRINE_CONNECTIONS_EACH", "300", "whole", "connections held at once of one address, a proxy's aside"),
    Setting("VITRINE_IDLE", "60", "number", "seconds after which a connection that says nothing is closed"),
    Setting("VITRINE_THREADS", "32", "whole", "requests answered at a time"),
    Setting("VITRINE_GRACE", "10", "number", "seconds that answers under way have to end when the server is stopped"),
    Setting("VITRINE_LOG", "text", "text", "`text`, or `json` for one JSON object a line"),
    Setting("VITRINE_WORKERS", "2", "whole", "worker processes; of several, the last is kept for quick work"),
    Setting("VITRINE_JOB_SECONDS", "14400", "number", "seconds that one job may take; 0: as many as it likes"),
    Setting(
        "VITRINE_JOB_GB",
        "0",
        "number",
        "memory a worker process may hold, in GiB; 0: four fifths of the machine's",
    ),
    Setting("VITRINE_SCHEDULER", "", "text", "the address of a scheduler to use instead of the embedded worker"),
    Setting(
        "VITRINE_TLS", "", "text", "the folder of that scheduler's and its workers' keys, made by `app.py keys DIR`"
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def value(name: str) -> str:
    """Return the text of the setting `name`; one that is set to nothing has its default."""
    return os.environ.get(name, "").strip() or _BY_NAME[name].default


def set_default(name: str, default: str) -> None:
    """Let the setting `name` be `default` in this process and those that it starts, unless it was set."""
    os.environ.setdefault(name, default)


def number(name: str) -> float:
    """Return the setting `name` as a number. Raises `Refused` when it is none, is below 0 or should be whole."""
    said, whole = value(name), _BY_NAME[name].kind == "whole"
    try:
        found = float(int(said)) if whole else float(said)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        kind = "a whole number" if whole else "a number"
        raise Refused(f"{name} is {said[:40]!r}, and must be {kind}, 0 or more, such as {_BY_NAME[name].default}")
    return found


def folders(name: str) -> list[Path]:
    """Return the setting `name` as absolute folders; none where nothing is set."""
    return [Path(part).expanduser().resolve() for part in value(name).split(os.pathsep) if part]


def check() -> None:
    """Raise `Refused`, naming the setting, where one that must be a number is none."""
    for setting in SETTINGS:
        if setting.kind in ("number", "whole"):
            number(setting.name)

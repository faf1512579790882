"""The door: everything a script, a notebook, the command line or a page needs of the models.

>>> import backends
>>> model = backends.open_model("bundled/triage")
>>> result = backends.run(model, "integrated_gradients", "no fever but severe chest pain", target="urgent")
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from backends import evidence, methods, models
from backends.errors import Cancelled, Refused
from backends.methods.base import Step, no_step
from backends.methods.generation import generate
from backends.models.input_pair import corrupt
from backends.results import Result
from backends.running import open_model, prediction, run

if TYPE_CHECKING:
    from backends.models.base import Model

__version__ = "0.2.0"

__all__ = [
    "Cancelled",
    "Refused",
    "Result",
    "corrupt",
    "evidence",
    "generate",
    "methods",
    "models",
    "open_model",
    "prediction",
    "run",
    "table",
]


def table(model: Model, rows: Any, step: Step = no_step) -> dict[str, Any]:
    """How `model` does on `rows`: its answer to each (`rows`), and accuracy, confusion and the like (`summary`).

    `rows` is the path of a folder of images, of a CSV of texts or of a zip, a `datasets.Dataset`, or mappings with
    `text` or `image` and, where it is known, `label`. A row that fails says why; it stops no other. Raises `Refused`.
    """
    from backends.inputs import datasets
    from backends.jobs.table import answer_rows

    if isinstance(rows, (str, os.PathLike)):
        rows = datasets.open_path(os.fspath(rows))
    if isinstance(rows, datasets.Dataset):
        given = [{"raw": row.raw, "label": row.label, "problem": row.problem} for row in rows.rows]
    else:
        given = [{"raw": {k: v for k, v in r.items() if k != "label"}, "label": r.get("label")} for r in rows]
    return answer_rows(model, given, step)

"""The form and the view that the tests of this page share."""

from __future__ import annotations

from typing import Any

from viz.pages.diffusion import prompt_form

FORM: dict[str, Any] = {
    **dict.fromkeys(prompt_form.LINKED), "prompt": "a red circle", "negative": "blue", "seed": 5, "steps": 20,
    "heads": "auto", "beside": "none", "prompt2": "", "seed2": 1,
}  # fmt: skip
SETTLED = {"keys": [], "part": "all", "first": 0, "last": 0, "threshold": 0.4, "rule": "own", "smooth": False}

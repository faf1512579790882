"""Lost letters: does the model answer the same when one letter of the text is missing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from backends.errors import Refused
from backends.jobs.base import Job
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Request
from backends.store import Store


@dataclass(frozen=True, kw_only=True)
class LostLetters(Request):
    """Asks for the answers to the text of `input` with one letter left out, at most `most` times."""

    job: ClassVar[str] = "lost_letters"

    input: str
    most: int = 100


def perform(model: Model, request: LostLetters, store: Store, step: Step) -> dict[str, Any]:
    """Return the `answer` to the whole text, how many `copies` were asked, and which `changed` it. Raises `Refused`."""
    text = store.get_input(request.input).get("text", "")
    if not text or "answer" not in model.offers:
        raise Refused("letters are lost from a text, and a model that answers reads what is left")
    answer = _answer(model, text)
    places = [i for i, letter in enumerate(text) if letter.isalpha()][: request.most]
    changed = {}
    for done, i in enumerate(places, 1):
        left = text[:i] + text[i + 1 :]
        other = _answer(model, left)
        if other != answer:
            changed[left] = other
        step(done / len(places))
    return {"answer": answer, "copies": len(places), "changed": changed}


def _answer(model: Model, text: str) -> str:
    return model.predict(model.encode({"text": text}), 1)[0].label


ENTRY = Job(LostLetters, perform)

"""Threads that ask one network for different things at the same time get the answers they would get alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.hooks.recording import record
from tests import families

TEXTS = (
    "no fever but severe chest pain .", "the doctor saw the patient", "mary gave a drink to john .",
    "severe pain , no fever", "the patient gave the chart to the doctor .", "john saw mary and the store",
    "a drink , a store and a chart", "chest pain and fever",
)  # fmt: skip
THREADS = 8
Ask = Callable[[str], list[np.ndarray]]


def method(model: Any, name: str, **options: Any) -> Ask:
    """The arrays of a method, through the door."""

    def ask(text: str) -> list[np.ndarray]:
        arrays = backends.run(model, name, text, **options).arrays
        return [arrays[key] for key in sorted(arrays)]

    return ask


def edited(model: Any) -> Ask:
    """The answer with one head switched off, and what the next layer's attention then is; nobody holds the lock."""

    def silence(z: torch.Tensor) -> torch.Tensor:
        z[:, :, 1] = 0
        return z

    def ask(text: str) -> list[np.ndarray]:
        batch = model.encode(text)
        with (
            torch.no_grad(),
            record(model.module, model.sites, patterns=[1], residual=True, edits={("z", 0): silence}) as seen,
        ):
            logits = model.outputs(model.features(batch), batch)
        return [part.numpy() for part in (logits, seen.patterns[1], *seen.residual)]

    return ask


def recorded(model: Any) -> Ask:
    """All patterns and head outputs, from the tokens, as they are; nobody holds the lock."""

    def ask(text: str) -> list[np.ndarray]:
        batch = model.encode(text)
        layers = model.sites.layers
        with torch.no_grad(), record(model.module, model.sites, patterns=layers, heads=True) as seen:
            logits = model.module(**batch.inputs).logits
        return [part.numpy() for part in (logits, *seen.patterns.values(), *seen.z.values())]

    return ask


def predicted(model: Any) -> Ask:
    def ask(text: str) -> list[np.ndarray]:
        choices = model.predict(model.encode(text), 20)
        return [np.array([c.index for c in choices]), np.array([c.logit for c in choices])]

    return ask


def continued(model: Any) -> Ask:
    def ask(text: str) -> list[np.ndarray]:
        said = backends.generate(model, text, tokens=6, temperature=1.5, seed=len(text))
        return [np.array(said[name]) for name in ("ids", "probability", "entropy")]

    return ask


def questions(model: Any) -> list[Ask]:
    """Eight different things to ask."""
    return [
        method(model, "attention"),
        method(model, "logit_lens"),
        method(model, "integrated_gradients", steps=8),
        method(model, "attention_rollout"),
        edited(model),
        continued(model),
        predicted(model),
        recorded(model),
    ]


def more_questions(model: Any) -> list[Ask]:
    """Eight others, gradients and sequences among them."""
    return [
        method(model, "saliency"),
        method(model, "relevancy"),
        method(model, "residual_trajectory"),
        method(model, "occlusion"),
        method(model, "input_x_gradient", target={"sequence": "severe pain"}),
        edited(model),
        continued(model),
        recorded(model),
    ]


def mixed(asks: list[Ask], rounds: int) -> tuple[int, int]:
    """How many answers of eight threads differ in a single bit from those of one thread, and how many there were.

    Every thread asks one kind of question and takes another text each time; all begin each round together.
    """
    alone = [[ask(text) for text in TEXTS] for ask in asks]
    again = [ask(TEXTS[0]) for ask in asks]
    assert not [i for i, answer in enumerate(again) if not same(answer, alone[i][0])], "not repeatable even alone"
    wrong: list[str] = []
    start = threading.Barrier(THREADS)

    def work(number: int) -> None:
        try:
            for turn in range(rounds):
                start.wait(60)
                text = (number + turn) % len(TEXTS)
                if not same(asks[number](TEXTS[text]), alone[number][text]):
                    wrong.append(f"question {number}, round {turn}")
        except Exception as error:
            wrong.append(f"question {number}: {error!r}")
            start.abort()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        print(wrong)
    return len(wrong), rounds * THREADS


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one, other, strict=True)
    )


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return backends.open_model(str(families.make("GPT-2", tmp_path)))


@pytest.mark.parametrize("asks", [questions, more_questions])
def test_threads_get_what_they_would_get_alone(model: Any, asks: Callable[[Any], list[Ask]]) -> None:
    assert mixed(asks(model), rounds=4) == (0, 32)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GPT-2", "Gemma 3"])
@pytest.mark.parametrize("asks", [questions, more_questions])
def test_in_five_hundred_tries_nothing_is_mixed(name: str, asks: Callable[[Any], list[Ask]], tmp_path: Path) -> None:
    model = backends.open_model(str(families.make(name, tmp_path)))
    assert mixed(asks(model), rounds=63) == (0, 504)


def test_mixed_answers_would_be_seen(model: Any) -> None:
    asks = questions(model)
    shared: dict[str, Any] = {}

    def mixing(text: str) -> list[np.ndarray]:  # as with hooks that a request leaves on the network's modules
        shared["text"] = text
        if threading.current_thread() is not threading.main_thread():
            shared["text"] = TEXTS[(TEXTS.index(text) + 1) % len(TEXTS)]
        return asks[6](shared["text"])

    assert mixed([*asks[:6], mixing, asks[7]], rounds=1)[0] == 1

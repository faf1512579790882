"""The contract of a method: its options are converted, checked and given back, and its cost orders it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from backends.errors import Refused
from backends.methods.base import Cost, Method, Size, no_step, option, show


@dataclass(frozen=True)
class Sounding(Method):
    """One option of each kind."""

    title = "Sounding"
    steps: int = option(8, "how many", low=1, high=64)
    noise: float = option(0.5, "how much", low=0.0)
    kind: str = option("plain", "which", choices=("plain", "fancy"))
    deep: bool = option(False, "whether")
    layers: tuple[int, ...] = option((), "which ones", low=0)
    head: int | None = option(None, "one of them", low=0)

    def cost(self, size: Size) -> Cost:
        return Cost(forwards=2, gradients=self.steps)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("steps", "16", 16),
        ("steps", 16.0, 16),
        ("noise", "0.25", 0.25),
        ("kind", "fancy", "fancy"),
        ("deep", "on", True),
        ("deep", "0", False),
        ("layers", "1,2,", [1, 2]),
        ("layers", [3], [3]),
        ("head", "", None),
        ("head", "2", 2),
    ],
)
def test_options_of_a_form_or_a_link_take_their_own_type(name: str, given: Any, value: Any) -> None:
    built = Sounding.build({name: given})
    assert built.options()[name] == value
    assert Sounding.build(built.options()) == built


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("steps", 0, "Sounding: steps must be a whole number from 1 to 64, not '0'"),
        ("steps", 1.5, "steps must be a whole number"),
        ("steps", True, "steps must be a whole number"),
        ("noise", "nan", "noise must be a number of at least 0, not 'nan'"),
        ("kind", "odd", "kind must be one of plain, fancy, not 'odd'"),
        ("deep", "perhaps", "deep must be true or false, not 'perhaps'"),
        ("layers", "1,-1", "layers must be numbers of at least 0"),
        ("head", "x", "head must be a whole number of at least 0, not 'x'"),
        ("depth", 1, "Sounding has no option 'depth'; its options are: steps, noise, kind, deep, layers, head"),
    ],
)
def test_what_an_option_cannot_be_is_a_sentence(name: str, given: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        Sounding.build({name: given})


def test_a_gradient_counts_as_three_runs() -> None:
    assert Sounding.usual_runs() == 2 + 3 * 8


def test_a_preview_is_made_only_for_who_can_take_it() -> None:
    told: list[Any] = []

    class Watching:
        def __call__(self, fraction: float) -> None:
            raise AssertionError("it can be told more")

        def tell(self, fraction: float, preview: Any) -> None:
            told.append((fraction, preview()))

    show(Watching(), 0.5, lambda: {"a": 1})
    show(told.append, 0.75, lambda: pytest.fail("made for nobody"))
    show(no_step, 1.0, lambda: pytest.fail("made for nobody"))
    assert told == [(0.5, {"a": 1}), 0.75]


def test_a_method_that_computes_nothing_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Sounding does not say how it is computed"):
        Sounding()(None, None, None)  # type: ignore[arg-type]

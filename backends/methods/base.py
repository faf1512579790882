"""The Method contract: a frozen dataclass whose fields are its options.

The same fields make the form on the page, the query of the link and part of the cache key.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target
    from backends.results import Result

Step = Callable[[float], None]
"""Called with the fraction done, 0 to 1; raises `Cancelled` when nobody wants the answer."""


def no_step(fraction: float) -> None:
    """The `step` of a caller who neither watches nor cancels."""


@dataclass(frozen=True)
class Size:
    """What the cost of a method hangs on.

    The input's tokens (patches among them), its removable parts, the numbers of its features and a picture's height (0:
    text); how many inputs go through the network at once; the network's layers, heads, width and outputs.
    """

    tokens: int
    parts: int = 1
    numbers: int = 0
    side: int = 0
    batch: int = 1
    layers: int = 0
    heads: int = 0
    width: int = 0
    outputs: int = 0


USUAL = Size(tokens=64, parts=64, numbers=3 * 64 * 64, side=64, batch=16, layers=4, heads=4, width=64, outputs=2)
"""An input and a network of usual size, for which methods are ordered by their cost."""


@dataclass(frozen=True)
class Cost:
    """What a method takes of a network: how many inputs go forward, and how many forward and back for a gradient.

    `at_once` of these go through together. `most` is how many times as much it may become where the method decides on
    the way. Beside them: `flops`, floating-point operations of matrix products; `numbers` that pass a step of other
    code, such as a softmax; `bytes` that are held.
    """

    forwards: float = 1.0
    gradients: float = 0.0
    at_once: int = 1
    most: float = 1.0
    flops: float = 0.0
    numbers: float = 0.0
    bytes: float = 0.0


def show(step: Step, fraction: float, preview: Callable[[], Mapping[str, Any]]) -> None:
    """Report progress and, to who can take it, what there is so far: small plain JSON, made only when it is sent."""
    can = getattr(step, "tell", None)
    if can is None:
        step(fraction)
    else:
        can(fraction, preview)


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    label: str | None = None,
) -> Any:
    """A method's option: its default, its bounds or choices, and the sentence shown beside it."""
    about = {"help": help, "low": low, "high": high, "choices": choices, "label": label}
    return dataclasses.field(default=default, metadata=about)


VIEWS = {
    "patterns": "every head's attention: `pattern` (layer, head, query, key), with `overview` and statistics",
    "map": "a number for each part of the input: `attribution` (token) or (height, width)",
    "words": "the best words of each layer and position: `token`, `probability` (layer, position, k)",
    "states": "the states of all layers: `path` (layer, position, component), `similarity` and `norm`",
    "grid": "one change after another: `effect` (layer, position), (layer, head) or (layer, strength)",
    "contributions": "what each part writes: `contribution` (component, position)",
    "rivals": "two answers through the layers: `logit` (depth, answer), `difference` (depth)",
    "circuit": "chosen heads and their criteria: `effect` (layer, head), labels `member`, perhaps `edge`",
    "heads": "how each head looks and what it does: `deviation`, `salience` (layer, head)",
    "word_maps": "where each word of a prompt went: `heat` (word, height, width), `image`",
    "figure": "anything else: the figure builder that accepts the result, else a plain figure of its axes",
}
"""As what a method is seen, and the arrays that this takes; tabs of the pages draw these."""


@dataclass(frozen=True)
class Method:
    """A way to look inside a model. Subclasses are frozen dataclasses; their docstring is the help text.

    `needs` is what a model must offer; `question` is the page that offers it (`attention`, `attribution`,
    `trajectory`, `causal` or `diffusion`), `view` as what it is seen there (one of `VIEWS`): a view that no tab of the
    page draws stands under *Other methods*. `source` is paper and equation.
    """

    needs: ClassVar[frozenset[str]]
    question: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    view: ClassVar[str] = "figure"
    order: ClassVar[int] = 100
    """Of several methods of one view the page proposes the lowest; equal ones go by name."""
    order_on_images: ClassVar[int | None] = None
    """The same on images, where another method suits them best; None is as elsewhere."""
    needs_target: ClassVar[bool] = True
    needs_pair: ClassVar[bool] = False
    """Whether it compares a clean input with a corrupted one."""
    uses_pair: ClassVar[bool] = False
    """Whether it needs no corrupted input, and heeds one where it is given."""
    pair_options: ClassVar[Mapping[str, Any]] = {}
    """Options that a page with a corrupted input begins with instead of the defaults."""
    repeats: ClassVar[bool] = False
    """Whether its grid is tested by the same sweep with another corruption."""
    preview: ClassVar[str] = ""
    """The name of a method that approximates it at once, shown until it is there."""

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        """Compute the result; `step(fraction)` reports progress and raises when cancelled."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is computed")

    def cost(self, size: Size) -> Cost:
        """What it takes for an input of `size`; by default one forward. A forecast is made of it."""
        return Cost()

    @classmethod
    def usual_runs(cls) -> float:
        """Return how many runs of a network it takes for an input of usual size; a gradient counts three."""
        cost = cls.build({}).cost(USUAL)
        return cost.forwards + 3 * cost.gradients

    def options(self) -> dict[str, Any]:
        """The options as plain JSON values, defaults included."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def build(cls, options: Mapping[str, Any]) -> Method:
        """The method with `options`, from a form, a link or a script: strings are converted, bounds are checked.

        Raises `Refused` with the option, the value and what would work.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(options) - set(fields))
        if unknown:
            there = ", ".join(fields) or "none"
            raise Refused(f"{cls.title} has no option {str(unknown[0])[:40]!r}; its options are: {there}")
        hints = typing.get_type_hints(cls)
        return cls(**{name: _parse(cls.title, fields[name], hints[name], value) for name, value in options.items()})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _parse(title: str, f: dataclasses.Field, hint: Any, value: Any) -> Any:
    """One option's value in its own type, checked against its bounds and choices."""
    wanted = f"{title}: {f.name} must be {_wanted(f, hint)}, not {str(value)[:40]!r}"
    try:
        value = _convert(hint, value)
    except (TypeError, ValueError, OverflowError):
        raise Refused(wanted) from None
    about = f.metadata
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            low, high = about.get("low"), about.get("high")
            if number != number or (low is not None and number < low) or (high is not None and number > high):
                raise Refused(wanted)
    if about.get("choices") and value not in about["choices"]:
        raise Refused(wanted)
    return value


def _convert(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):  # X | None
        if value is None or value == "":
            return None
        hint = next(h for h in hint.__args__ if h is not type(None))
    if hint is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1", "yes", "on"):
            return True
        if str(value).lower() in ("false", "0", "no", "off", ""):
            return False
        raise ValueError(value)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(_convert(inner, p) for p in parts if p != "")
    if hint is int:
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise ValueError(value)
        return int(value)
    return hint(value)


def _wanted(f: dataclasses.Field, hint: Any) -> str:
    about = f.metadata
    if about.get("choices"):
        return "one of " + ", ".join(str(c) for c in about["choices"])
    if isinstance(hint, types.UnionType):  # X | None
        hint = next(h for h in hint.__args__ if h is not type(None))
    noun = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(hint, "numbers")
    low, high = about.get("low"), about.get("high")
    if low is not None and high is not None:
        return f"{noun} from {low:g} to {high:g}"
    return noun if low is None else f"{noun} of at least {low:g}"

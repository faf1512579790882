"""Everything that can be asked, one frozen dataclass each, and the key under which its answer is kept.

The key is the sha256 of the request as JSON, so what many ask for is computed once and found again after a restart. A
request is therefore always complete: what nobody chose stands in it with its usual value. Names within requests are
part of stored keys and never change. Loads neither torch nor dash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, TypeGuard, Union, get_args, get_origin, get_type_hints

from backends.errors import Refused
from backends.results import VERSION

MOST_ROWS = 500
"""Rows of a table that one job takes through methods."""


def key_of(request: Mapping[str, Any]) -> str:
    """The key of a plain request: sha256 of its JSON with sorted keys, 64 hex characters.

    Raises `Refused` when a value is not plain JSON, NaN included.
    """
    try:
        text = json.dumps(dict(request), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"a request holds plain JSON values only: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()


def is_key(text: Any) -> TypeGuard[str]:
    """Tell whether `text` has the form of a key or of an input's digest: 64 characters from 0-9 and a-f."""
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def receipt_key(result_key: str) -> str:
    """Under which key the last receipt of a result is kept, so that it goes where the result goes."""
    return key_of({"job": "receipt", "of": result_key})


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every request names: the model, the revision of its files, and the version of what results mean.

    A subclass names its `job` and adds fields, which hold plain JSON values.
    """

    job: ClassVar[str]

    model: str
    revision: str
    version: int = VERSION

    def plain(self) -> dict[str, Any]:
        """Return the canonical JSON object: `job` and every field but those of `left_out`."""
        gone = self.left_out()
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in gone}
        return {"job": self.job, **{n: dict(v) if isinstance(v, Mapping) else v for n, v in values.items()}}

    def key(self) -> str:
        """Return the key of the answer. Raises `Refused` when a value is not plain JSON."""
        return key_of(self.plain())

    def left_out(self) -> Collection[str]:
        """Name the fields that this request does not have in its JSON."""
        return ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the request whose `plain()` is `plain`. Raises `Refused`, naming the field that is wrong."""
        hints, names = field_types(cls), [f.name for f in dataclasses.fields(cls)]
        if not isinstance(plain, Mapping) or plain.get("job") != cls.job:
            found = plain.get("job") if isinstance(plain, Mapping) else plain
            raise Refused(f"this is no request for the job {cls.job!r}, but {str(found)[:40]!r}")
        given = {name: value for name, value in plain.items() if name != "job"}
        unknown = [str(name)[:40] for name in given if name not in names]
        if unknown:
            raise Refused(f"the job {cls.job!r} takes no {unknown[0]!r}; it takes: {', '.join(names)}")
        for name, value in given.items():
            if not _fits(value, hints[name]):
                raise Refused(f"{name} of the job {cls.job!r} must be {_noun(hints[name])}, not {str(value)[:40]!r}")
        needed = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
        missing = [name for name in names if name in needed - given.keys()]
        made = None if missing else cls(**given)
        missing += [name for name in made.plain() if name not in plain] if made else []
        if missing or made is None:
            raise Refused(f"the job {cls.job!r} needs {missing[0]!r}, and the request does not have it")
        odd = [name for name in given if name not in made.plain()]
        if odd:
            raise Refused(f"the job {cls.job!r} takes no {odd[0]!r} without what it goes with")
        return made


def field_types(cls: type[Request]) -> dict[str, Any]:
    """Return the type of each field. Raises `Refused` when one names something that is not imported."""
    try:
        return get_type_hints(cls)
    except NameError as error:
        raise Refused(f"a field of {cls.__name__} has a type that cannot be found: {error}") from error


NOUNS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null",
    Mapping: "an object", Sequence: "a list",
}  # fmt: skip


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types that a field may have, without what they hold."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(get_origin(part) or part for part in parts)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of the type `hint`; true and false are no numbers, a text is no list."""
    for kind in _kinds(hint):
        numbers: Any = {int: int, float: (int, float)}.get(kind)
        if kind is Any or (numbers and isinstance(value, numbers) and not isinstance(value, bool)):
            return True
        if not numbers and isinstance(value, (list, tuple) if kind is Sequence else kind):
            return True
    return False


def _noun(hint: Any) -> str:
    return " or ".join(NOUNS.get(kind, getattr(kind, "__name__", str(kind))) for kind in _kinds(hint))


# A model, and one input


@dataclass(frozen=True, kw_only=True)
class OpenModel(Request):
    """Open the model: its card, as plain JSON."""

    job: ClassVar[str] = "open"


@dataclass(frozen=True, kw_only=True)
class Forecast(Request):
    """What the model takes in memory and time; with an `input`, what each of `methods` (name: options) takes for it.

    `when` numbers the stretch of time for which the forecast counts; `open` asks anew once the model is open.
    """

    job: ClassVar[str] = "forecast"

    when: int
    open: bool = False
    input: str | None = None
    methods: Mapping[str, Any] | None = None
    target: Any = None

    def left_out(self) -> Collection[str]:
        gone = set() if self.open else {"open"}
        return gone if self.input is not None else gone | {"input", "methods", "target"}


@dataclass(frozen=True, kw_only=True)
class Predict(Request):
    """What the model answers to an input, or to both inputs of a pair."""

    job: ClassVar[str] = "predict"

    input: str


@dataclass(frozen=True, kw_only=True)
class Edit(Request):
    """What the model answers once parts of an input are hidden or swapped: see `backends.evidence.edited_input`.

    `edits` are [start, end] of characters that are hidden, [start, end, words] of those that are swapped for words, or
    [top, left, bottom, right] of a hidden region, in thousandths of the image. Hidden parts become the `replacement`.
    """

    job: ClassVar[str] = "edit"

    input: str
    edits: Sequence[Any]
    replacement: str


@dataclass(frozen=True, kw_only=True)
class Corrupt(Request):
    """Make a corrupted input of `input`, in the way `how`: see `backends.corrupt`. What is None is not said."""

    job: ClassVar[str] = "corrupt"

    input: str
    how: str
    tokens: Sequence[int] | None = None
    word: str | None = None
    seed: int | None = None

    def left_out(self) -> Collection[str]:
        return {name for name in ("tokens", "word", "seed") if getattr(self, name) is None}

    def recipe(self) -> dict[str, Any]:
        """Return how the input is made, as the options of `backends.corrupt`."""
        there = {name: getattr(self, name) for name in ("how", "tokens", "word", "seed")}
        return {name: value for name, value in there.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Check(Request):
    """Whether a method is valid on the model."""

    job: ClassVar[str] = "check"

    method: str


@dataclass(frozen=True, kw_only=True)
class Generate(Request):
    """Continue the text of `input`; `options` are those of `backends.generate`."""

    job: ClassVar[str] = "generate"

    input: str
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AttentionWindow(Request):
    """A window on one head's attention: `options` are those of `attention_window.window`."""

    job: ClassVar[str] = "window"

    input: str
    options: Mapping[str, Any]


# A map, and its tests


@dataclass(frozen=True, kw_only=True)
class OneMap(Request):
    """A method with complete options on one input; `target` is None for what the model answers."""

    method: str
    options: Mapping[str, Any]
    input: str | None
    target: Any


@dataclass(frozen=True, kw_only=True)
class Run(OneMap):
    """Compute a method. `input` is None where a script gave an input that no store holds."""

    job: ClassVar[str] = "run"


@dataclass(frozen=True, kw_only=True)
class TestedMap(OneMap):
    """Something about the map of a run; `receipt` holds the options of `evidence.receipt`."""

    receipt: Mapping[str, Any]

    @classmethod
    def of_run(cls, run: Run | Mapping[str, Any], options: Mapping[str, Any], **more: Any) -> Self:
        """Return the request about the map of `run`, tested with `options`. Raises `Refused` when `run` is no run."""
        run = run if isinstance(run, Run) else Run.from_plain(run)
        return cls(**{f.name: getattr(run, f.name) for f in dataclasses.fields(run)}, receipt=dict(options), **more)

    def run(self) -> Run:
        """Return the request for the map itself."""
        return Run(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Run)})

    def check(self) -> Check:
        """Return the request that finds out whether the method is valid on the model."""
        return Check(model=self.model, revision=self.revision, method=self.method, version=self.version)


@dataclass(frozen=True, kw_only=True)
class Receipt(TestedMap):
    """The receipt of a map."""

    job: ClassVar[str] = "receipt"


@dataclass(frozen=True, kw_only=True)
class MethodReceipt(TestedMap):
    """All about one method on one input: whether it is valid, its map, the receipt and the curves."""

    job: ClassVar[str] = "audit"


@dataclass(frozen=True, kw_only=True)
class Metrics(TestedMap):
    """Every number of one map."""

    job: ClassVar[str] = "numbers"


@dataclass(frozen=True, kw_only=True)
class RandomisedNetwork(TestedMap):
    """A map beside that of the same network with shuffled weights and one drawn at random."""

    job: ClassVar[str] = "blind"


@dataclass(frozen=True, kw_only=True)
class VariantMap(RandomisedNetwork):
    """One of the maps that `RandomisedNetwork` makes: no job of its own, but the key of what it keeps."""

    variant: str


@dataclass(frozen=True, kw_only=True)
class CompareMethods(Request):
    """Maps beside one another: `audits` are the keys of `MethodReceipt` by method, `region` where the truth lies."""

    job: ClassVar[str] = "together"

    audits: Mapping[str, Any]
    region: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class ImportantParts(Request):
    """Which words or squares of an input matter, and the fewest that decide.

    `rate` is the false discovery rate, `least` the effect that counts, as a share of the whole change.
    """

    job: ClassVar[str] = "parts"

    input: str
    target: Any
    replacement: str
    rate: float
    least: float
    effort: int = 1
    seed: int = 0


# A table


@dataclass(frozen=True, kw_only=True)
class Table(Request):
    """The model's answer to every row of the kept table `data`."""

    job: ClassVar[str] = "table"

    data: str


@dataclass(frozen=True, kw_only=True)
class MethodOverRows(Request):
    """One method over `rows` (numbers from 0) of a kept table, then their mean.

    `aim` is what is explained: "own" (each row's own answer), "label", or "class:" and its name.
    """

    job: ClassVar[str] = "sweep"

    method: str
    options: Mapping[str, Any]
    data: str
    rows: Sequence[int]
    aim: str


@dataclass(frozen=True, kw_only=True)
class DatasetTest(Request):
    """Receipts of `methods` (name: options) over `rows` of a kept table; `aim` as in `MethodOverRows`."""

    job: ClassVar[str] = "survey"

    data: str
    rows: Sequence[int]
    aim: str
    methods: Mapping[str, Any]
    receipt: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RandomMapReceipt(Request):
    """The receipt of the random map of row `planted`: no job of its own, but the key of what `DatasetTest` keeps."""

    job: ClassVar[str] = "receipt"

    planted: int
    receipt: Mapping[str, Any]
    input: str
    target: Any

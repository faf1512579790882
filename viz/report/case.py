"""What a page that leaves has on it: input, answer, map, truth, receipt, and where it all comes from.

Everything comes from the result itself and, where there is one, from the store: no model and no browser is asked.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from backends import catalog, registry
from backends.errors import Refused
from backends.inputs.images import open_image
from backends.results import Result, regroup
from viz.components import attribution_summary, inputs, links, option_form, receipt
from viz.figures.words import percent, visible

CLINICAL = "Not for clinical use."
UNCHECKED = "This model was not validated for clinical use here."
LIMITED = "A map shows what a network did with this input, not what is true of a patient or the world."
ASIDE = "The map, its numbers and its test are in the file: nothing was normalised."


class Inputs(Protocol):
    """What is needed of a store: the input of a digest."""

    def get_input(self, digest: str) -> Mapping[str, Any]: ...


class View(NamedTuple):
    """How the map was shown: grouped `by`, on the scale's ends, in which colours, and what was outlined.

    `part` is what figures of many maps show, such as a layer and a head.
    """

    by: str = "word"
    scale: tuple[float, float] | None = None
    opacity: float = 0.7
    threshold: float = 0.0
    colours: str | None = None
    stretch: str = "linear"
    mask: str | None = None
    part: tuple[tuple[str, str], ...] = ()


class Badge(NamedTuple):
    """The badge of a receipt, as on the pages.

    `slug` gives the colour, `mark` and `word` are the verdict, `sentence` the effect with its range and what decided.
    """

    slug: str
    mark: str
    word: str
    sentence: str


class Case(NamedTuple):
    """One result as it leaves. `pixels` is the image that the model saw, `truth` a mask of its shape."""

    result: Result
    question: str
    method: str
    target: str
    answers: tuple[tuple[str, float], ...]
    text: str
    pixels: np.ndarray | None
    truth: np.ndarray | None
    truth_name: str
    spans: tuple[tuple[int, int, str], ...]
    caption: str
    badges: tuple[Badge, ...]
    model: str
    model_title: str
    origin: str
    warning: str
    link: str
    date: str
    view: View


def make(
    result: Result, store: Inputs | None = None, root: str = "", view: View = View(),  # noqa: B008 - a tuple
    today: datetime.date | None = None,
) -> Case:  # fmt: skip
    """Gather the case of `result`; `root` is the address of the server that its link leads to, "" for none."""
    example = example_of(result)
    name = str(result.request.get("model") or "")
    raw = _raw(result, store)
    shown = _shown(result, view.by)
    mask = _mask_name(example, view.mask)
    return Case(
        result=shown,
        question=question(result),
        method=title_of(result.method),
        target=target_of(result),
        answers=tuple((str(a["label"]), float(a["probability"])) for a in result.facts.get("prediction", ())[:5]),
        text=_text(result, raw),
        pixels=_pixels(result, raw),
        truth=attribution_summary.truth_mask(result, name, example, mask) if mask else None,
        truth_name=mask,
        spans=tuple(attribution_summary.truth_spans(example)),
        caption=caption(shown),
        badges=badges(result),
        model=name or "a model that was not named",
        model_title=str(catalog.card(name).get("title", "")) if name else "",
        origin=_origin(result),
        warning=warning(name),
        link=link_of(result, root, raw),
        date=(today or datetime.datetime.now(tz=datetime.UTC).date()).strftime("%-d %B %Y"),
        view=view,
    )


def title_of(method: str) -> str:
    """A method as a person calls it; its name in words where it is none of this Vitrine's."""
    try:
        return str(registry.method(method).title)
    except Refused:
        return method.replace("_", " ").capitalize()


def target_of(result: Result) -> str:
    """What is explained, in words: the target, else the model's own answer; "" where a map is the same for all."""
    if result.target:
        return visible(result.target, 120)
    known: Sequence[Mapping[str, Any]] = result.facts.get("prediction") or ()
    own = known and "attribution" in result.arrays and not result.facts.get("class_agnostic")
    return visible(known[0]["label"], 120) if own else ""


def question(result: Result) -> str:
    """The heading: what is asked about the answer, else what the method shows."""
    target = target_of(result)
    if "attribution" in result.arrays:
        return f"What drove the answer “{target}”?" if target else "What did the model look at?"
    method = title_of(result.method)
    return f"{method}: “{target}”" if target else method


def _shown(result: Result, by: str) -> Result:
    is_text = "attribution" in result.arrays and result.arrays["attribution"].ndim == 1
    return regroup(result, by) if is_text and result.facts.get("text") is not None else result


def _raw(result: Result, store: Inputs | None) -> Mapping[str, Any]:
    digest = result.request.get("input")
    if store is None or not isinstance(digest, str):
        return {}
    try:
        return store.get_input(digest)
    except (Refused, KeyError, OSError):
        return {}


def _text(result: Result, raw: Mapping[str, Any]) -> str:
    """The input's text, the two of a pair one below the other; of a drawing its prompt."""
    clean = raw.get("clean", raw)
    parts = [str(clean[name]) for name in ("text", "pair", "output") if clean.get(name)]
    if "corrupted" in raw and raw["corrupted"].get("text"):
        parts.append(f"(corrupted) {raw['corrupted']['text']}")
    return "\n".join(parts) or str(result.facts.get("text") or result.facts.get("prompt") or "")


def _pixels(result: Result, raw: Mapping[str, Any]) -> np.ndarray | None:
    """The image that the model saw, (row, column, 3) uint8; of an input that only the store has, a small copy."""
    found = result.arrays.get("image")
    if found is not None and found.ndim == 3 and found.dtype == np.uint8:
        return np.repeat(found, 3, axis=2) if found.shape[2] == 1 else found[..., :3]
    if "image" not in raw:
        return None
    try:
        picture = open_image(raw["image"]).convert("RGB")
    except Refused:
        return None
    picture.thumbnail((512, 512))
    return np.asarray(picture)


def example_of(result: Result) -> Mapping[str, Any]:
    """The bundled example that the result is about, with its known truth; empty for any other input."""
    name = str(result.request.get("model") or "")
    for example in catalog.card(name).get("examples", ()):
        if _is_about(result, name, example):
            return example
    return {}


def _is_about(result: Result, name: str, example: Mapping[str, Any]) -> bool:
    if "text" in result.facts and "image" not in result.arrays:
        return bool(result.facts["text"] == example["input"])
    seen = result.arrays.get("image")
    file = catalog.shipped(name) / str(example["input"])
    if seen is None or seen.ndim != 3 or not file.is_file():
        return False
    try:
        given = np.asarray(open_image(file).convert("RGB"))
    except Refused:
        return False
    return given.shape[:2] == seen.shape[:2] and np.array_equal(given[..., 0], seen[..., 0])


def _mask_name(example: Mapping[str, Any], wanted: str | None) -> str:
    """Which mask is outlined: the one wanted, "" for none, else the first that is known."""
    there = attribution_summary.masks(example)
    return wanted if wanted in there else "" if wanted == "" else next(iter(there), "")


def caption(result: Result) -> str:
    """What to look at, in one sentence made from the result itself; "" where a result is no map of an input."""
    if "attribution" not in result.arrays:
        return ""
    values = np.asarray(result.arrays["attribution"], np.float64)
    if not np.isfinite(values).all() or not values.any():
        return "Every value of this map is zero: nothing is marked."
    if values.ndim == 2:
        return _caption_of_image(values, result.signed)
    best = attribution_summary.strongest(result, 2)
    unit = f" {result.unit}" if result.unit else ""
    named = " and ".join(
        f"{place} ({attribution_summary.number(value, result.signed)}{unit})" for _, place, value, _ in best
    )
    share = attribution_summary.share(sum(part for *_, part in best))
    noun = f"{result.facts.get('grouped_by', 'token')}{'s' if len(best) > 1 else ''}"
    return (
        f"The {noun} that count{'' if len(best) > 1 else 's'} most on this map: {named}; {share} of all that it shows."
    )


def _caption_of_image(values: np.ndarray, signed: bool) -> str:
    """Where the strongest square lies, of a signed map for the answer and against it."""
    squares = [("speaks for the answer" if signed else "counts", values)]
    squares += [("speaks against it", -values)] if signed else []
    told = [f"what {words} most lies {_where(v)}" for words, v in squares if v.max() > 0]
    return f"{'; '.join(told)}.".capitalize()


def _where(values: np.ndarray) -> str:
    """The third of the image in which its strongest eighth lies."""
    rows, columns = (np.linspace(0, n, min(8, n) + 1).round().astype(int)[:-1] for n in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    down = ("at the top", "in the middle", "at the bottom")[int(3 * (row + 0.5) / sums.shape[0])]
    across = ("left", "", "right")[int(3 * (column + 0.5) / sums.shape[1])]
    return f"{down}{' ' + across if across else ''}"


def badges(result: Result) -> tuple[Badge, ...]:
    """The verdict of the last receipt of the map, of a drawing one for each word that was tested."""
    found = result.facts.get("receipt")
    if not isinstance(found, Mapping) or not found:
        return ()
    each = found["words"].values() if "words" in found else [found]
    return tuple(_badge(one, "words" in found) for one in each)


def _badge(found: Mapping[str, Any], named: bool) -> Badge:
    mark, word = receipt.MARKS.get(found["verdict"], receipt.MARKS["cannot tell"])
    about = f"“{found['facts']['target']}”: " if named else ""
    sentence = " ".join(dict.fromkeys([receipt.effect(found), receipt.ruling(found)]))
    return Badge(receipt.slug(found["verdict"]), mark, f"{about}{word}", sentence)


def _origin(result: Result) -> str:
    """The model and the revision of its files, as one can ask for it again."""
    model, revision = result.request.get("model"), result.request.get("revision")
    if not model:
        return ""
    return f"{model}@{str(revision)[:12]}" if revision else str(model)


def warning(model: str) -> str:
    """Whether the model may be used on patients: never one that ships, and none that nobody validated here."""
    card = catalog.card(model)
    if any("clinical use" in limit for limit in card.get("limits", ())):
        return CLINICAL
    return "" if card else UNCHECKED


def link_of(result: Result, root: str, raw: Mapping[str, Any]) -> str:
    """The address that shows this result again; "" where no server is named or its input is kept by none.

    A short text travels in the link itself, as in those that the pages make.
    """
    request = result.request
    if not root or not isinstance(request.get("input"), str):
        return ""
    try:
        method = registry.method(result.method)
        changed = option_form.changed(result.method, request.get("options") or {})
    except Refused:
        return ""
    clean = raw.get("clean", raw)
    if "clean" in raw and not clean.get("text"):
        return ""  # two pictures: which digests they have is not known here
    texts = {name: clean[name] for name in inputs.TEXTS if isinstance(clean.get(name), str)}
    given: Any = {"digest": request["input"], **texts, **{n: clean[n] for n in ("image", *inputs.IDS) if n in clean}}
    target = request.get("target")
    aim = target.get("sequence") if isinstance(target, dict) else None
    own: dict[str, Any] = {"methods": result.method} if method.question == "attribution" else {}
    own |= {"options": {result.method: changed}} if own and changed else {}
    own |= {"other": raw["corrupted"].get("text")} if "clean" in raw else {}
    address = links.link(
        f"/{method.question}", model=request.get("model"), **inputs.link_of(given), sequence=aim,
        target="|".join(target) if isinstance(target, list) else target if isinstance(target, str) else None, **own,
    )  # fmt: skip
    return root.rstrip("/") + address


def answer_words(case: Case) -> str:
    """The answers with their probabilities, in one line."""
    return " · ".join(f"{visible(label, 40)} {percent(p)}" for label, p in case.answers)

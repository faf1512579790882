"""What a model is given: a text, two texts, an answer so far, a picture, or a picture with captions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict, TypeGuard

from dash import html, no_update

from backends import catalog
from backends.errors import Refused
from backends.inputs.images import FORMATS, MOST_BYTES, open_image
from backends.inputs.turns import READING
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.store import IDS, TEXTS
from viz.components import links as link

CARRIED = 600
"""Characters of a text that its link carries itself, so that the link works on another machine too."""
STEP = ("generated", "step")
"""Where an input comes from a continuation: which one, and after how many of its tokens."""
SECOND = {"pair": "Second sentence", "output": "Answer so far"}
"""What stands beside a text, by what a model offers."""
STARTERS: dict[str, tuple[dict[str, str], ...]] = {
    "pair": (
        {"name": "Alike", "input": "A man is playing a guitar.", "pair": "Someone makes music on an instrument."},
        {"name": "Unlike", "input": "A man is playing a guitar.", "pair": "The price of oil fell on Monday."},
        {"name": "Denied", "input": "The patient has a fever.", "pair": "The patient has no fever."},
    ),
    "output": (
        {"name": "Translate", "input": "translate English to German: The house is wonderful.", "output": ""},
        {"name": "Translate on", "input": "translate English to German: The house is wonderful.", "output": "Das Haus"},
    ),
    "next_token": (
        {"name": "A capital", "input": "The capital of France is"},
        {"name": "A pattern", "input": "apple banana cherry apple banana"},
    ),
    "tokens": ({"name": "A review", "input": "The film was slow at first, but the ending moved me."},),
}
"""Inputs to begin with, for models that bring no examples of their own; the first kind that a model offers is shown."""
SMALL = 8192
"""Bytes up to which a picture stands in the page itself."""
CAPTIONS = "a radiograph of a chest\na photo of a dog\na street at night"


class PageInput(TypedDict):
    """The input that stands on a page, as its store holds it.

    `digest` is the name by which the server's store knows it, `image` true where it holds a picture, and `example` the
    number of the model's example that it is. `ids` and `output_ids` are its exact tokens, where it has them;
    `generated` is the continuation of which it is a step (see `viz.components.generation`), and `step` which one.
    """

    digest: str
    text: NotRequired[str]
    pair: NotRequired[str]
    output: NotRequired[str]
    image: NotRequired[bool]
    example: NotRequired[int]
    ids: NotRequired[list[int]]
    output_ids: NotRequired[list[int]]
    generated: NotRequired[str]
    step: NotRequired[int]


class Shown(NamedTuple):
    """What of the workbench changes with an input; all else stays as it is."""

    input: Any = no_update
    text: Any = no_update
    second: Any = no_update
    picture: Any = no_update
    note: Any = no_update
    problem: Any = no_update
    target: Any = no_update
    versus: Any = no_update
    kind: Any = no_update
    linked: Any = no_update


def reads(card: Mapping[str, Any]) -> frozenset[str]:
    """What the model is given: `text`, `image`, or both at once."""
    if "pixels" not in card["offers"]:
        return frozenset({"text"})
    return frozenset({"image", "text"} if "captions" in card["offers"] else {"image"})


def second(card: Card) -> str:
    """What may stand beside the text: `pair`, `output`, or nothing."""
    return next((name for name in SECOND if name in card["offers"]), "")


def holds(given: Mapping[str, Any]) -> frozenset[str]:
    """What an input holds: `text`, `image` or both."""
    image = {"image"} if given.get("image") or "text" not in given else set()
    return frozenset(image | ({"text"} if "text" in given else set()))


def fits(card: Any, given: Any) -> TypeGuard[Card]:
    """Whether there is an input of the kind that the model reads, and all of it."""
    return bool(card and given and given.get("digest")) and holds(given) == reads(card)


def guidance(card: Any, given: Any) -> str:
    """What is still to be given before the model can answer; empty when nothing is."""
    if not card:
        return ""
    wanted, there = reads(card), holds(given) if given else frozenset()
    if wanted == {"image", "text"}:
        return {
            frozenset(): "Choose a picture and write what may be on it, one caption a line: the model compares them.",
            frozenset({"image"}): "Now write what may be on the picture, one caption a line: they are its answers.",
            frozenset({"text"}): "Now choose a picture: the model says which caption fits it best.",
        }.get(there, "")
    if not there:
        return "Choose an image." if "image" in wanted else "Type a text, or pick an example."
    if "pair" in card["offers"] and not given.get("pair"):
        return "Give a second sentence: the model says how similar the two are, and by which words."
    return ""


def given(
    engine: Engine, card: Card, wanted: str | int, typed: Any = "", beside: Any = "", upload: Any = None,
    linked: Any = None, before: Any = None,
) -> Shown:  # fmt: skip
    """The workbench for the input that is wanted; nothing typed is lost by what raises `Refused`.

    `wanted` is an example's number, `text`, `swap`, `image`, or `card` when the model changed; `beside` is what stands
    in the second box.
    """
    if isinstance(wanted, int):
        return _example(engine, card, wanted)._replace(linked=None)
    if wanted in ("text", "swap"):
        texts = (beside, typed) if wanted == "swap" else (typed, beside)
        return shown(card, _text(engine, card, *texts, before))
    if wanted == "image":
        return shown(card, _image(engine, card, upload, typed))
    linked = linked or {}
    if linked.get("input") or linked.get("text"):
        step = {name: linked[name] for name in STEP if linked.get("generated")}
        return shown(card, {**_linked(engine, card, linked), **step})._replace(linked=None)
    if before and (kept := _carried(engine, card, before)):
        return shown(card, _recognised(engine, card, kept))
    if shipped(card):
        first = _example(engine, card, card.get("cover", 0))._replace(linked=None)
        return first._replace(target=no_update, versus=no_update, kind=no_update) if linked.get("aim") else first
    return Shown(None, second="", picture=[], note=[], problem=[], linked=None)


def shown(card: Card, chosen: dict[str, Any]) -> Shown:
    """Texts, picture and note once `chosen` is the input."""
    picture = html.Img(src=f"/inputs/{chosen['digest']}", alt="The input image") if "image" in holds(chosen) else []
    beside = chosen.get(second(card), "") if second(card) else no_update
    return Shown(chosen, chosen.get("text", no_update), beside, picture, _note(card, chosen), [])


def _example(engine: Engine, card: Card, index: int) -> Shown:
    there = examples_of(card)
    if not 0 <= index < len(there):
        raise Refused(f"{card['name']} has {len(there)} examples, not one numbered {index}")
    chosen = {**_kept(engine, raw_of(card, there[index])), "example": index}
    target: Any = there[index].get("target")
    pair = isinstance(target, list) and len(target) == 2
    first, versus, kind = (target[0], target[1], "pair") if pair else ("", "", "own")
    return shown(card, chosen)._replace(target=first, versus=versus, kind=kind)


def raw_of(card: Card, example: Mapping[str, Any]) -> dict[str, Any]:
    """The input that an example stands for, as the store takes it."""
    if "image" not in reads(card):
        return _texts(card, example["input"], example.get(second(card), ""))
    raw = {"image": catalog.shipped(str(example.get("of", card["name"]))) / example["input"]}
    return raw | ({"text": example.get("text", CAPTIONS)} if "text" in reads(card) else {})


def _texts(card: Card, text: str, beside: str) -> dict[str, Any]:
    """The texts of an input; a pair may be missing, an answer so far that is empty has not begun."""
    name = second(card)
    return {"text": text} | ({name: beside} if name == "output" or (name and beside.strip()) else {})


def _kept(engine: Engine, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The input on the page for `raw`, which the store keeps."""
    return described(engine.store.put_input(raw), raw)


def described(digest: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The input on the page for what the store keeps as `digest`."""
    picture = {"image": True} if "image" in raw else {}
    return {"digest": digest, **{name: raw[name] for name in (*TEXTS, *IDS) if name in raw}, **picture}


def _note(card: Card, chosen: Mapping[str, Any]) -> list[Any]:
    """What is known of an example: its truth, and what to look for."""
    example = example_of(card, chosen)
    truth = [html.Span(["True answer: ", html.B(example["label"]), ". "])] if example.get("label") else []
    return [*truth, example["note"]] if example.get("note") else truth


def _text(engine: Engine, card: Card, typed: Any, beside: Any = "", before: Any = None) -> dict[str, Any]:
    captions = "image" in reads(card)
    if not isinstance(typed, str) or not typed.strip():
        empty = "there is no caption; write one a line" if captions else "the text is empty; type a sentence"
        raise Refused(f"{empty}, or pick an example")
    beside = beside if isinstance(beside, str) else ""
    limit = card.get("limit")
    longest = max(len(typed), len(beside))
    if limit and longest > 200 * limit:
        raise Refused(f"the text has {longest} characters; {card['name']} reads at most {limit} tokens")
    raw = {"text": typed} | _picture(engine, before) if captions else _texts(card, typed, beside)
    return _recognised(engine, card, _kept(engine, raw))


def _picture(engine: Engine, before: Any) -> dict[str, Any]:
    """The picture of the input before, if it had one that is still kept."""
    if not before or "image" not in holds(before):
        return {}
    try:
        return {"image": engine.store.get_input(before["digest"])["image"]}
    except Refused:
        return {}


def _image(engine: Engine, card: Card, upload: Any, typed: Any = "") -> dict[str, Any]:
    data = uploaded(upload)
    captions = {"text": typed} if "text" in reads(card) and isinstance(typed, str) and typed.strip() else {}
    return _recognised(engine, card, _kept(engine, {"image": data} | captions))


def uploaded(upload: Any) -> bytes:
    """The bytes of an uploaded picture. Raises `Refused` on what is none."""
    if not isinstance(upload, str) or "," not in upload:
        raise Refused(f"no image came; Vitrine reads {', '.join(FORMATS)} up to {MOST_BYTES >> 20} MB")
    try:
        data = base64.b64decode(upload.split(",", 1)[1], validate=True)
    except ValueError:
        raise Refused("the upload broke off; try again") from None
    with READING.turn():
        open_image(data)
    return data


def _linked(engine: Engine, card: Card, linked: Mapping[str, Any]) -> dict[str, Any]:
    """The input that a link names: its texts, an example by its digest, or what is kept on this machine."""
    if linked.get("text") and ("image" not in reads(card) or not linked.get("input")) and "text" in reads(card):
        return _text(engine, card, linked["text"], linked.get(second(card)) or "")
    digest = linked.get("input")
    if linked.get("text") and not digest:
        raise Refused(f"the link holds a text, and {card['name']} reads a picture; pick an example, or give your own")
    known = _recognised(engine, card, {"digest": digest})
    if "example" in known:
        return known
    try:
        chosen = described(str(digest), engine.store.get_input(str(digest)))
    except Refused:
        raise Refused("the input of this link is not kept on this machine; pick an example, or give it again") from None
    if not holds(chosen) <= reads(card):
        raise Refused(f"the input of this link is not one that {card['name']} reads; pick an example, or give another")
    begun = second(card) != "output" or "output" in chosen or "ids" in chosen
    return chosen if begun else _kept(engine, _texts(card, chosen["text"], ""))


def _carried(engine: Engine, card: Card, before: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of an input outlives a change of model: pictures and own texts, but no text of another model's examples."""
    own = "text" not in before or before.get("example") is None or not examples_of(card)
    common = holds(before) & reads(card) if own else frozenset()
    if not common:
        return None
    beside = second(card)
    same = common == holds(before) and not set(IDS) & set(before) and all(t == beside for t in before if t in SECOND)
    if same and (beside != "output" or beside in before):
        return {name: value for name, value in before.items() if name not in ("example", *STEP)}
    raw = _picture(engine, before) if "image" in common else {}
    raw |= _texts(card, before["text"], before.get(beside, "")) if "text" in common else {}
    return _kept(engine, raw) if raw else None


def _recognised(engine: Engine, card: Card, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """`chosen`, and which example of the model it is, if it is one: then its truth is known."""
    plain = {k: v for k, v in chosen.items() if k != "example"}
    for index, example in enumerate(examples_of(card)):
        there = _kept(engine, raw_of(card, example))
        if there["digest"] == plain["digest"]:
            return {**there, "example": index}
    return plain


def shipped(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The examples that ship with the model; never those that a browser's copy of the card may claim."""
    return catalog.card(str(card.get("name"))).get("examples", [])


def examples_of(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The examples that ship with the model, else a few inputs to begin with."""
    return shipped(card) or _starters(card)


def _starters(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "image" in reads(card):
        lent = next((c for c in catalog.bundled() if c["task"].startswith("image") and c.get("examples")), None)
        return (
            [{"name": e["name"], "input": e["input"], "of": lent["name"]} for e in lent["examples"][:3]] if lent else []
        )
    return list(next((some for kind, some in STARTERS.items() if kind in card["offers"]), ()))


def example_of(card: Card, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """The example that an input is, with its `truth` and `note`; empty for any other input."""
    index, there = chosen.get("example"), examples_of(card)
    return there[index] if isinstance(index, int) and 0 <= index < len(there) else {}


def example_image(card: Mapping[str, Any], index: int) -> str:
    """The address of an example's picture."""
    of = card["name"] if shipped(card) else examples_of(card)[index]["of"]
    return f"/examples/{catalog.shipped(str(of)).name}/{index}"


def example_thumbnail(card: Mapping[str, Any], index: int) -> str:
    """The picture of an example itself where it is small, so that a list of them is no list of requests."""
    of, example = example_image(card, index), examples_of(card)[index]
    path = catalog.shipped(str(card["name"] if shipped(card) else example["of"])) / str(example["input"])
    if not path.is_file() or path.stat().st_size > SMALL:
        return of
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def linked_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """What a link says of the input."""
    step = {"generated": link.digest(query, "generated"), "step": link.number(query, "step")}
    input = link.digest(query) or link.text(query, "input", most=64) or None  # what is no digest is refused in words
    return {"input": input, **{name: link.text(query, name) for name in TEXTS}, **step}


def link_of(given: PageInput) -> dict[str, str]:
    """What a link carries of an input: short texts themselves, anything else by its digest."""
    if given.get("generated"):
        return {"input": given["digest"], "generated": given["generated"], "step": str(given["step"])}
    plain: Mapping[str, Any] = given
    texts = {name: plain[name] for name in TEXTS if plain.get(name)}
    short = sum(map(len, texts.values())) <= CARRIED and "text" in texts
    return texts if short and not given.get("image") and not set(IDS) & set(given) else {"input": given["digest"]}

"""The first view of a page, settled on the server: what the browser would run as it opens a page, run beforehand.

`settle` does to a layout what Dash's renderer does to it: it calls the callbacks that run initially and those that
their outputs trigger, in the renderer's order. It only looks things up: what would start a job, keep an input or
fail, and what scripts of the browser do, is left to the browser, named with its triggers in what `settle` returns.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dash._callback_context import context_value
from dash._grouping import flatten_grouping
from dash._utils import AttributeDict, stringify_id, to_json
from dash._validate import validate_and_group_input_args
from dash.exceptions import PreventUpdate

from viz.components.looking import Later, Seen, looking

MOST = 600
"""Callbacks that are run for one view at most; the browser runs the rest."""

Id = str | dict[str, Any]
Prop = tuple[Id, str]
"""A property of a component, or of all components that fit a pattern."""
Node = dict[str, Any]
"""A component as the browser has it: `type`, `namespace` and `props`."""


@dataclass(eq=False)
class Callback:
    """A callback of the app: the output by which the browser knows it, and what it reads and writes.

    `function` is None where it runs in the browser. `initial` says that it runs when its outputs appear.
    """

    output: str
    function: Any
    grouping: Any
    outputs: tuple[Prop, ...]
    outputs_shape: Any
    inputs: tuple[Prop, ...]
    states: tuple[Prop, ...]
    initial: bool
    below: frozenset[int] = frozenset()
    """The callbacks that this one may set off, directly or not."""


class Callbacks:
    """The callbacks that may run on one page, and which of them a property sets off."""

    def __init__(self, specs: Sequence[Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]) -> None:
        self.all = [_read(spec, known[spec["output"]]) for spec in specs]
        self.by_input: dict[tuple[str, str], list[int]] = {}
        for n, callback in enumerate(self.all):
            for id, prop in callback.inputs:
                self.by_input.setdefault((_kind(id), prop), []).append(n)
        for n, callback in enumerate(self.all):
            callback.below = frozenset(self._below(n))

    def set_off_by(self, id: Id, prop: str) -> list[int]:
        """The callbacks that have this property among their inputs."""
        there = self.by_input.get((_kind(id), prop), ())
        return [n for n in there if any(p == prop and _fits(pattern, id) for pattern, p in self.all[n].inputs)]

    def _below(self, start: int) -> set[int]:
        seen: set[int] = set()
        queue = deque([start])
        while queue:
            for id, prop in self.all[queue.popleft()].outputs:
                fresh = set(self.by_input.get((_kind(id), prop), ())) - seen
                seen |= fresh
                queue.extend(fresh)
        return seen


def _read(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> Callback:
    """One callback from what Dash keeps of it."""
    function = None
    if not spec["clientside_function"]:
        function = entry["callback"].__wrapped__
    outputs = flatten_grouping(entry["output"])
    return Callback(
        spec["output"],
        function,
        entry["inputs_state_indices"],
        () if spec["no_output"] else tuple((o.component_id, o.component_property) for o in outputs),
        entry["outputs_indices"],
        tuple((_pattern(i["id"]), i["property"]) for i in spec["inputs"]),
        tuple((_pattern(i["id"]), i["property"]) for i in spec["state"]),
        not spec["prevent_initial_call"],
    )


def _pattern(id: str) -> Id:
    return json.loads(id) if id.startswith("{") else id


def _kind(id: Id) -> str:
    """By what a component is looked for: its id, or the type that its id names."""
    return id if isinstance(id, str) else str(id.get("type"))


def _fits(pattern: Id, id: Id) -> bool:
    """Whether `pattern` stands for the component `id`."""
    if isinstance(pattern, str) or isinstance(id, str):
        return pattern == id
    return pattern.keys() == id.keys() and all(_wild(v) or id[k] == v for k, v in pattern.items())


def _wild(value: Any) -> bool:
    return isinstance(value, list) or hasattr(value, "name")  # ["ALL"] in a specification, ALL in an output


class Tree:
    """A layout with its components by id. It is plain JSON, as it is in the browser."""

    def __init__(self, layout: Any) -> None:
        self.root: Any = json.loads(to_json(layout))
        self.found: dict[str, list[Node]] = {}
        for node in self._identified(self.root):
            if node["props"].get("data", "") is None:  # a store tells its null as a change when it is mounted
                del node["props"]["data"]
            self.found.setdefault(_kind(node["props"]["id"]), []).append(node)

    def all(self, pattern: Id) -> list[Node]:
        """The components that fit."""
        return [node for node in self.found.get(_kind(pattern), ()) if _fits(pattern, node["props"]["id"])]

    def has(self, pattern: Id) -> bool:
        """Whether there is such a component; a pattern may stand for none."""
        return not isinstance(pattern, str) or bool(self.all(pattern))

    def get(self, pattern: Id, prop: str) -> Any:
        """The value of a property; of all that fit where `pattern` is one."""
        values = [node["props"].get(prop) for node in self.all(pattern)]
        if not isinstance(pattern, str):
            return values
        return values[0] if values else None

    def set(self, id: Id, prop: str, value: Any) -> list[Node]:
        """Give a component a value; the components that are new with it are returned."""
        fresh: list[Node] = []
        for node in self.all(id):
            if prop == "children":
                for old in self._identified(node["props"].get("children")):
                    there = self.found[_kind(old["props"]["id"])]
                    there[:] = [other for other in there if other is not old]
                fresh += self._identified(value)
            if value is None and prop == "data":
                node["props"].pop("data", None)
            else:
                node["props"][prop] = value
        for node in fresh:
            self.found.setdefault(_kind(node["props"]["id"]), []).append(node)
        return fresh

    def _identified(self, tree: Any) -> Iterator[Node]:
        """The components below that have an id, in the order of the page."""
        stack = [tree]
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack.extend(reversed(node))
            elif isinstance(node, dict) and "props" in node:
                if node["props"].get("id"):
                    yield node
                stack.append(node["props"].get("children"))


@dataclass
class Settled:
    """A settled view: its layout as JSON, and what is left for the browser.

    `left` names the callbacks that the browser has to run, each with the properties that set it off (none: it runs
    because the page opens); `ran` those that it need not run. It is `whole` where the browser need not ask the server
    for anything more. `seen` is what it was made of.
    """

    layout: str = ""
    left: dict[str, list[str]] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    whole: bool = True
    seen: Seen = field(default_factory=Seen)


class _Run:
    """One settling: the tree, and the callbacks that are still to run, each with what set it off and what led there."""

    def __init__(self, callbacks: Callbacks, tree: Tree) -> None:
        self.callbacks, self.tree = callbacks, tree
        self.pending: dict[int, tuple[list[str], frozenset[int]]] = {}
        self.settled = Settled()

    def begin(self) -> None:
        """Note what runs because the page opens."""
        for n, callback in enumerate(self.callbacks.all):
            if callback.function and callback.initial and self._stands(callback):
                self.pending[n] = ([], frozenset())

    def _stands(self, callback: Callback) -> bool:
        """Whether the page has a place for what the callback gives, and something for it to read."""
        place = any(isinstance(id, str) and self.tree.has(id) for id, _ in callback.outputs)
        return place and any(self.tree.has(id) for id, _ in callback.inputs)

    def next(self) -> int:
        """One that waits for no other; in a circle, the first."""
        waiting = self.pending.keys()
        below = {n: self.callbacks.all[n].below for n in waiting}
        return next((n for n in waiting if not any(n in below[m] for m in waiting if m != n)), next(iter(waiting)))

    def step(self) -> None:
        """Run one callback, and note what it sets off."""
        n = self.next()
        triggers, before = self.pending.pop(n)
        callback = self.callbacks.all[n]
        if callback.function is None:
            if triggers and not callback.initial:  # what is initial runs as the page opens
                self._leave(callback, triggers)
            return
        try:
            values = _call(callback, self.tree, triggers)
        except PreventUpdate:
            self.settled.ran.add(callback.output)
            return
        except Exception:  # a refusal, too, is told by the browser's own call
            self._leave(callback, triggers)
            return
        self.settled.ran.add(callback.output)
        for id, prop, value in values:
            self._take(id, prop, value, n, before | {n})

    def _leave(self, callback: Callback, triggers: list[str]) -> None:
        there = self.settled.left.setdefault(callback.output, [])
        there += [trigger for trigger in triggers if trigger not in there]

    def _take(self, id: Id, prop: str, value: Any, by: int, before: frozenset[int]) -> None:
        """A callback gave `value`: it takes its place, and sets off what reads it."""
        if not self.tree.has(id):
            return
        fresh = self.tree.set(id, prop, value)
        for n in self.callbacks.set_off_by(id, prop):
            self._set_off(n, f"{stringify_id(id)}.{prop}", before)
        new = {stringify_id(node["props"]["id"]) for node in fresh}
        for node in fresh:
            for n, callback in enumerate(self.callbacks.all):
                for pattern, name in callback.inputs:
                    beside = any(stringify_id(o) in new for o, _ in callback.outputs if isinstance(o, str))
                    if _fits(pattern, node["props"]["id"]) and not beside:
                        self._set_off(n, f"{stringify_id(node['props']['id'])}.{name}", before)

    def _set_off(self, n: int, trigger: str, before: frozenset[int]) -> None:
        callback = self.callbacks.all[n]
        if n in before or not any(not isinstance(id, str) or self.tree.has(id) for id, _ in callback.outputs):
            return
        triggers, led = self.pending.get(n, ([], frozenset()))
        self.pending[n] = ([*triggers, trigger] if trigger not in triggers else triggers, led | before)


def settle(callbacks: Callbacks, layout: Any, dark: bool = False) -> Settled:
    """Run on `layout`, a Dash component, what the browser would run as it opens, and return the settled view.

    Pictures are drawn for a dark page with `dark`. Nothing is computed, kept or changed.
    """
    with looking() as seen:
        run = _Run(callbacks, Tree(layout))
        for kind, nodes in run.tree.found.items():
            if kind.endswith("-dark"):
                for node in nodes:
                    node["props"]["data"] = dark
        run.begin()
        for _ in range(MOST):
            if not run.pending:
                break
            run.step()
        for n, (triggers, _) in run.pending.items():
            run._leave(run.callbacks.all[n], triggers)
    found = run.settled
    found.ran -= found.left.keys()
    found.layout = json.dumps(run.tree.root, separators=(",", ":"), ensure_ascii=False)
    found.seen = seen
    in_browser = {callback.output for callback in callbacks.all if callback.function is None}
    found.whole = not seen.missed and found.left.keys() <= in_browser
    return found


def _call(callback: Callback, tree: Tree, triggers: Sequence[str]) -> list[tuple[Id, str, Any]]:
    """Call one callback, as Dash would for a request of the browser; the properties that it gives a value."""
    given = tuple(tree.get(id, prop) for id, prop in (*callback.inputs, *callback.states))
    args, named = validate_and_group_input_args(given, callback.grouping)
    around = AttributeDict(
        triggered_inputs=[{"prop_id": trigger, "value": None} for trigger in triggers],
        updated_props={},
    )
    token = context_value.set(around)
    try:
        value = callback.function(*args, **named)
        beside = dict(around.updated_props)
    finally:
        context_value.reset(token)
    values = flatten_grouping(value, callback.outputs_shape)
    given_back: list[tuple[Id, str, Any]] = []
    for (id, prop), one in zip(callback.outputs, values, strict=True):
        if not isinstance(id, str):
            raise Later("outputs of a pattern are the browser's")
        if type(one).__name__ != "NoUpdate":
            given_back.append((id, prop, _plain(one)))
    for one_id, props in beside.items():
        given_back += [(_pattern(one_id), prop, _plain(one)) for prop, one in props.items()]
    return given_back


def _plain(value: Any) -> Any:
    """A value as it reaches the browser."""
    return value if value is None or isinstance(value, (bool, int, str)) else json.loads(to_json(value))

"""Settling a page: what the server runs, in which order, and what it leaves to the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate

from backends.errors import Refused
from tests.viz.fakes import FakeEngine
from viz.components.job_panel import JobPanel
from viz.components.looking import only_looking
from viz.server.first_view import Callbacks, Settled, settle


@pytest.fixture
def app() -> Dash:
    return Dash(__name__, suppress_callback_exceptions=True)


def settled(app: Dash, *parts: Any, dark: bool = False) -> Settled:
    return settle(Callbacks(app._callback_list, app.callback_map), html.Div(list(parts)), dark)


def props(view: Settled, id: Any) -> dict[str, Any]:
    """The properties of the component `id` as the browser gets them."""
    stack = [json.loads(view.layout)]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            if node["props"].get("id") == id:
                return node["props"]
            stack.append(node["props"].get("children"))
    raise AssertionError(f"no {id}")


def test_what_a_chain_gives_stands_in_the_layout(app: Dash) -> None:
    @app.callback(Output("second", "data"), Input("first", "data"))
    def double(value: int) -> dict[str, Any]:
        return {"value": 2 * value, "pair": (1, 2), 3: None}

    @app.callback(Output("shown", "children"), Input("second", "data"), prevent_initial_call=True)
    def show(value: Any) -> Any:
        return [html.B(json.dumps(value), id="words")]

    view = settled(app, dcc.Store(id="first", data=21), dcc.Store(id="second"), html.Div(id="shown"))
    assert props(view, "words")["children"] == '{"value": 42, "pair": [1, 2], "3": null}'  # as it is in the browser
    assert view.ran == {"second.data", "shown.children"}
    assert not view.left
    assert view.whole


def test_a_callback_waits_for_all_that_may_change_what_it_reads(app: Dash) -> None:
    seen = []

    @app.callback(Output("d", "data"), Input("a", "data"), Input("c", "data"))
    def last(a: Any, c: Any) -> Any:
        seen.append((a, c, sorted(ctx.triggered_prop_ids)))
        return a + c

    @app.callback(Output("c", "data"), Input("b", "data"))
    def middle(b: Any) -> Any:
        return b + 1

    @app.callback(Output("b", "data"), Input("a", "data"))
    def first(a: Any) -> Any:
        return a + 1

    view = settled(app, dcc.Store(id="a", data=1), *[dcc.Store(id=i) for i in "bcd"])
    assert seen == [(1, 3, ["c.data"])]
    assert props(view, "d")["data"] == 4


def test_callbacks_that_no_trigger_reaches_do_not_run(app: Dash) -> None:
    @app.callback(Output("b", "children"), Input("a", "n_clicks"), prevent_initial_call=True)
    def clicked(_clicks: Any) -> str:
        raise AssertionError

    @app.callback(Output("elsewhere", "children"), Input("a", "n_clicks"))
    def other_page(_clicks: Any) -> str:
        raise AssertionError

    view = settled(app, html.Button(id="a"), html.Div(id="b"))
    assert not view.ran
    assert not view.left


def test_new_parts_set_off_what_reads_them_but_not_what_came_with_them(app: Dash) -> None:
    @app.callback(Output("place", "children"), Input("start", "data"))
    def build(_start: Any) -> Any:
        return [html.Button(id={"kind": "row", "type": "row", "n": i}, n_clicks=0) for i in range(3)] + [
            html.Div(id="inner"), dcc.Store(id="inner-data", data=1),
        ]  # fmt: skip

    @app.callback(
        Output("count", "children"), Input({"kind": "row", "type": "row", "n": ALL}, "id"), prevent_initial_call=True
    )
    def count(ids: list[Any]) -> int:
        return len(ids)

    @app.callback(Output("inner", "children"), Input("inner-data", "data"), prevent_initial_call=True)
    def beside(_data: Any) -> str:
        raise AssertionError

    view = settled(app, dcc.Store(id="start", data=0), html.Div(id="place"), html.Div(id="count"))
    assert props(view, "count")["children"] == 3


def test_a_callback_that_gives_what_it_reads_runs_once(app: Dash) -> None:
    calls = []

    @app.callback(Output("a", "value"), Output("b", "value"), Input("a", "value"), Input("b", "value"))
    def both(a: Any, b: Any) -> Any:
        calls.append((a, b))
        return a, a + 1

    @app.callback(Output("a", "value", allow_duplicate=True), Input("b", "value"), prevent_initial_call=True)
    def back(b: Any) -> Any:
        return b * 10

    view = settled(app, dcc.Input(id="a", value=1), dcc.Input(id="b", value=5))
    assert calls == [(1, 5)]
    assert props(view, "a")["value"] == 20


@pytest.mark.parametrize("error", [Refused("no such thing"), ValueError("a fault")])
def test_what_fails_is_left_to_the_browser_with_what_set_it_off(app: Dash, error: Exception) -> None:
    @app.callback(Output("b", "data"), Input("a", "data"))
    def first(a: Any) -> Any:
        return a

    @app.callback(Output("c", "data"), Input("b", "data"), prevent_initial_call=True)
    def fails(_b: Any) -> Any:
        raise error

    @app.callback(Output("d", "data"), Input("c", "data"), prevent_initial_call=True)
    def after(_c: Any) -> Any:
        raise AssertionError

    view = settled(app, *[dcc.Store(id=i, data=1) for i in "abcd"])
    assert view.left == {"c.data": ["b.data"]}
    assert view.ran == {"b.data"}
    assert not view.whole


def test_no_update_and_prevent_update_leave_things_as_they_are(app: Dash) -> None:
    @app.callback(Output("b", "data"), Output("c", "data"), Input("a", "data"))
    def some(_a: Any) -> Any:
        return no_update, 7

    @app.callback(Output("d", "data"), Input("c", "data"))
    def none(_c: Any) -> Any:
        raise PreventUpdate

    view = settled(app, *[dcc.Store(id=i, data=1) for i in "abcd"])
    assert [props(view, i)["data"] for i in "bcd"] == [1, 7, 1]
    assert not view.left


def test_set_props_counts_as_an_output(app: Dash) -> None:
    @app.callback(Output("b", "data"), Input("a", "data"))
    def first(_a: Any) -> Any:
        set_props("c", {"data": [1]})
        return 1

    @app.callback(Output("d", "data"), Input("c", "data"), prevent_initial_call=True)
    def after(c: Any) -> Any:
        return c

    view = settled(app, *[dcc.Store(id=i, data=0) for i in "abcd"])
    assert props(view, "d")["data"] == [1]


def test_scripts_of_the_browser_run_there(app: Dash) -> None:
    app.clientside_callback("function (x) { return x }", Output("b", "data"), Input("a", "data"))
    app.clientside_callback(
        "function (x) { return x }", Output("d", "data"), Input("c", "data"), prevent_initial_call=True
    )

    @app.callback(Output("c", "data"), Input("a", "data"))
    def first(a: Any) -> Any:
        return a

    view = settled(app, *[dcc.Store(id=i, data=0) for i in "abcd"])
    assert view.left == {"d.data": ["c.data"]}  # the other runs as the page opens, by itself
    assert view.whole  # for all that, the server has nothing more to do


def test_a_grouped_callback_is_given_its_values_by_name(app: Dash) -> None:
    @app.callback(
        output={"x": Output("b", "data"), "y": Output("c", "data")},
        inputs={"one": Input("a", "data"), "two": State("b", "data")},
    )
    def named(one: Any, two: Any) -> Any:
        return {"x": [one, two], "y": two}

    view = settled(app, dcc.Store(id="a", data=1), dcc.Store(id="b", data=2), dcc.Store(id="c"))
    assert (props(view, "b")["data"], props(view, "c")["data"]) == ([1, 2], 2)


def test_a_store_without_data_has_none(app: Dash) -> None:
    view = settled(app, dcc.Store(id="a", data=None), dcc.Store(id="page-dark"), dark=True)
    assert "data" not in props(view, "a")  # it would tell its null as a change
    assert props(view, "page-dark")["data"] is True


def test_jobs_are_looked_up_and_never_asked_for(app: Dash, engine: FakeEngine) -> None:
    panel = JobPanel("page", "job")
    panel.register(app, only_looking(engine))  # type: ignore[arg-type]
    wanted = {n: {"job": "predict", "model": "bundled/triage", "n": n} for n in ("one", "two")}

    @app.callback(Output(panel.requests, "data"), Input("start", "data"))
    def ask(_start: Any) -> Any:
        return wanted

    parts = [dcc.Store(id="start", data=0), dcc.Store(id="shell-tab", data="t"), panel.parts()]
    nothing = settled(app, *parts)
    assert list(nothing.left) == [next(o for o in nothing.left if panel.answers in o)]
    assert nothing.left.popitem()[1] == [f"{panel.requests}.data"]
    assert not nothing.whole

    from backends.requests import key_of

    engine.store.put_document(key_of(wanted["one"]), {"prediction": []})
    half = settled(app, *parts)
    assert props(half, panel.answers)["data"]["keys"] == {"one": key_of(wanted["one"])}
    assert "two" not in props(half, panel.answers)["data"]["asked"]  # so the first poll of the browser asks for it
    assert props(half, panel.poll)["disabled"] is False
    assert not half.left
    assert not half.whole

    engine.store.put_document(key_of(wanted["two"]), {"prediction": []})
    all_there = settled(app, *parts)
    assert all_there.whole
    assert all_there.seen.keys == {key_of(r) for r in wanted.values()}
    assert all_there.seen.models == {"bundled/triage"}
    assert engine.asked == []


def test_the_functions_of_dash_that_are_used_are_there(app: Dash, tmp_path: Path) -> None:
    @app.callback(Output("b", "data"), Input("a", "data"))
    def named(a: Any) -> Any:
        return a

    assert app.callback_map["b.data"]["callback"].__wrapped__ is named

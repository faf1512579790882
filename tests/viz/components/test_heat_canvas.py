"""The canvas as a Dash part: ids, addresses, and a spec that JSON can hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from dash import Dash

from backends.errors import Refused
from viz.components import heat_canvas as heat

ASSETS = Path(__file__).parents[3] / "assets"


def test_parts_and_ids() -> None:
    holder = heat.heat_canvas("attention-grid", "Every head")
    ids = [c.id for c in holder.children]
    assert ids == ["attention-grid", "attention-grid-spec", "attention-grid-cell"]
    assert getattr(holder.children[0], "aria-label") == "Every head"


def test_register_draws_in_the_browser() -> None:
    app = Dash(__name__)
    heat.register(app, "x-map")
    (callback,) = app._callback_list
    assert callback["clientside_function"] == {"namespace": "vitrine", "function_name": "draw_heat"}
    assert callback["inputs"] == [{"id": "x-map-spec", "property": "data"}]


def test_addresses() -> None:
    assert heat.map_url("k", "pattern", (3, "mean"), sqrt=True, sink=False) == "/maps/k/pattern?at=3,mean&sqrt=1&sink=0"
    assert heat.map_url("k", "entropy") == "/maps/k/entropy"
    assert heat.sprite_url("k", "pattern") == "/maps/k/pattern/sprite?cell=48&sqrt=1&sink=1"
    assert heat.value_url("k", "pattern", (3, 5)) == "/maps/k/pattern/value?at=3,5,{row},{column}"
    assert heat.value_url("k", "attribution") == "/maps/k/attribution/value?at={row},{column}"


def test_spec_is_json_and_selects_into_the_store() -> None:
    spec = heat.spec("x-map", "Map", "/maps/k/a", select=True, selected=(1, 2), scale=(-1, 1))
    assert json.loads(json.dumps(spec)) == spec
    assert spec["emit"] == "x-map-cell"
    assert spec["selected"] == [1, 2]
    assert spec["scale"] == [-1.0, 1.0]
    assert "image" not in spec
    assert "emit" not in heat.spec("x-map", "Map", "/maps/k/a")


def test_spec_refuses_nothing_and_unknown_controls() -> None:
    with pytest.raises(Refused, match="needs the address of a map, of an image, or of both"):
        heat.spec("x", "Map")
    with pytest.raises(Refused, match="no control 'zoom' of the heat map; there are: opacity, threshold"):
        heat.spec("x", "Map", "/m", controls=["zoom"])


@pytest.mark.parametrize("name", sorted(path.name for path in ASSETS.glob("*.js")))
def test_scripts_fit_a_strict_policy(name: str) -> None:
    code = (ASSETS / name).read_text()
    assert not re.search(
        r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?://(?!www\.w3)", code
    )


def test_nothing_vendored_calls_home() -> None:
    css = (ASSETS / "bootstrap.min.css").read_text()
    assert not re.search(r"url\((?!\"?data:)|@import|sourceMappingURL", css)
    assert "MIT License" in (ASSETS / "bootstrap.LICENSE.txt").read_text()

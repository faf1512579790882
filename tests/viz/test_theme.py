"""Colours can be read by everybody, and a value keeps its colour."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import pytest

from backends.errors import Refused
from viz import theme

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
BLIND = {
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    share = np.array(theme.rgb(colour)) / 255
    linear = np.clip(eye @ np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("role", ["ink", "muted", "accent", "good", "bad", "warn"])
@pytest.mark.parametrize("ground", ["page", "surface", "raised"])
def test_text_has_aa_contrast(dark: bool, role: str, ground: str) -> None:
    colours = theme.colours(dark)
    assert theme.contrast(colours[role], colours[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_lines_and_edges_have_three_to_one(dark: bool) -> None:
    surface = theme.colours(dark)["surface"]
    for colour in (*theme.palette(dark), theme.colours(dark)["edge"]):
        assert theme.contrast(colour, surface) >= 3, colour


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("eye", ["everybody", *BLIND])
def test_categories_stay_apart_for_every_eye(dark: bool, eye: str) -> None:
    seen = [lab(c, np.array(BLIND.get(eye, np.eye(3)))) for c in theme.palette(dark)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 18


def test_contrast_is_wcag() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", theme.UNSIGNED + theme.SIGNED)
def test_tables_have_256_colours_and_readable_ink(name: str) -> None:
    table = theme.table(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert all(theme.contrast(theme.ink(c), c) >= 4.5 for c in map(theme.css, table))
    assert base64.b64decode(theme.tables()[name]) == table.tobytes()


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_unsigned_maps_grow_lighter(name: str) -> None:
    light = [theme.contrast(theme.css(c), "#000000") for c in theme.table(name)[::8]]
    assert all(np.diff(light) > 0)


def test_signed_map_is_white_at_zero_and_mirrored() -> None:
    table = theme.table("blue-white-red").astype(int)
    assert table[127].min() > 250
    assert table[128].min() > 250
    assert table[0, 2] > table[0, 0]
    assert table[255, 0] > table[255, 2]
    light = np.array([theme.contrast(theme.css(c), "#000000") for c in table])
    assert all(np.diff(light[:128]) > 0)
    assert all(np.diff(light[128:]) < 0)


def test_known_colours_of_viridis() -> None:
    assert theme.css(theme.table("viridis")[0]) == "#440154"
    assert theme.css(theme.table("viridis")[255]) == "#fde725"


def test_values_take_their_colour_and_ends_clip() -> None:
    ends = theme.value_colours(np.array([-9.0, -1.0, 1.0, 9.0]), -1, 1, "blue-white-red")
    assert ends[0] == ends[1] == "#053061"
    assert ends[2] == ends[3] == "#67001f"


def test_fading_scale_is_clear_at_zero() -> None:
    signed = theme.fading_scale("blue-white-red", 0.8)
    assert signed[0][1].endswith(",0.800)")
    assert signed[-1][1].endswith(",0.800)")
    assert [0.5, "rgba(255,255,255,0.000)"] in signed
    assert [0.5, "#ffffff"] in theme.scale("blue-white-red")
    assert theme.fading_scale("viridis", 0.8)[0][1].endswith(",0.000)")


def test_colour_map_fits_the_sign() -> None:
    assert theme.colour_map(True, "viridis") == "blue-white-red"
    assert theme.colour_map(False, "cividis") == "cividis"
    assert theme.colour_map(False) == "viridis"


def test_unknown_map_says_what_there_is() -> None:
    with pytest.raises(Refused, match=r"no colour map 'jet'; there are: viridis, cividis, blue-white-red, greys"):
        theme.table("jet")


def test_templates_are_registered_once_and_plain() -> None:
    import json

    import plotly.io as pio

    assert theme.template(dark=True) == "vitrine_dark" == theme.template(dark=True)
    assert pio.templates["vitrine_dark"].layout.paper_bgcolor == theme.DARK["surface"]
    assert json.loads(json.dumps(theme.templates()))["light"]["layout"]["font"]["color"] == theme.LIGHT["ink"]


def test_graphs_send_nothing_anywhere() -> None:
    config = theme.config("head")
    assert config["showSendToCloud"] is False
    assert config["displaylogo"] is False
    assert config["plotlyServerURL"] == ""
    assert config["toImageButtonOptions"]["filename"] == "head"

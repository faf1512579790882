"""Colours, colour maps and fonts as numbers: the one place where Vitrine's looks are decided.

Colour maps are the same in light and dark mode, in print and in an export: a value has one colour,
whoever looks. Zero is white on a signed map, also on a dark page, and the colour bar says so.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import numpy as np

from backends.errors import Refused

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace'

LIGHT = {
    "page": "#f5f6f8",
    "surface": "#ffffff",
    "raised": "#f0f2f5",
    "ink": "#1b2330",
    "muted": "#556070",
    "line": "#d5dae1",
    "edge": "#7b8696",
    "accent": "#1d5fbf",
    "good": "#1a7340",
    "bad": "#b3261e",
    "warn": "#8a5200",
}
DARK = {
    "page": "#12161b",
    "surface": "#1a2027",
    "raised": "#232b34",
    "ink": "#e7ebf0",
    "muted": "#a7b1be",
    "line": "#343e4a",
    "edge": "#7d8999",
    "accent": "#82b4ff",
    "good": "#6fd08c",
    "bad": "#ff9a92",
    "warn": "#f0b35a",
}

# Searched for: 3:1 against the surface and apart for deuteranopes and protanopes; lines differ in dash and marker too.
PALETTE_LIGHT = ("#26609b", "#d35617", "#269b60", "#890f4c", "#594316", "#7a5af0")
PALETTE_DARK = ("#5ebded", "#e88c30", "#8cf2ae", "#f0467f", "#ece45a", "#b06bf0")
GROUND_TRUTH = "#00e5a0"
"""The outline of the ground truth over an image, drawn on a dark edge."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross")

# Every fifth entry of matplotlib's tables (CC0); the rest is interpolated, at most 4 of 255 away.
_STOPS = {
    "viridis": (
        "440154 46085c 471063 481769 481d6f 482475 472a7a 46307e 453781 433d84 414287 3f4889 3d4e8a 3a538b 38598c "
        "355e8d 33638d 31688e 2e6d8e 2c718e 2a768e 297b8e 27808e 25848e 23898e 218e8d 20928c 1f978b 1e9c89 1fa188 "
        "21a585 24aa83 28ae80 2eb37c 35b779 3dbc74 46c06f 50c46a 5ac864 65cb5e 70cf57 7cd250 89d548 95d840 a2da37 "
        "b0dd2f bddf26 cae11f d8e219 e5e419 f1e51d fde725 "
    ),
    "cividis": (
        "00224e 002656 002a5f 002d68 003070 083370 163770 203a6f 273e6e 2e416d 34456c 3a486c 3f4c6c 444f6c 49536c "
        "4e566c 535a6d 575d6d 5c616e 60646f 656870 696b71 6d6f72 727274 767676 7a7a78 7e7d78 838179 888578 8d8878 "
        "928c78 969077 9b9476 a09875 a59c74 aaa073 afa471 b5a86f baac6d bfb06b c4b468 c9b965 cfbd62 d4c15f dac65b "
        "dfca57 e5cf52 ead34c f0d846 f6dd3f fce236 fee838 "
    ),
    # ColorBrewer's RdBu turned round, its centre made white: negative is blue, zero white, positive red.
    "blue-white-red": "053061 2166ac 4393c3 92c5de d1e5f0 ffffff fddbc7 f4a582 d6604d b2182b 67001f",
    "greys": "ffffff 000000",
}

UNSIGNED = ("viridis", "cividis", "greys")
SIGNED = ("blue-white-red",)


@cache
def table(name: str) -> np.ndarray:
    """The 256 colours of the colour map `name`, (256, 3) uint8. Raises `Refused`, naming what there is."""
    if name not in _STOPS:
        raise Refused(f"no colour map {str(name)[:40]!r}; there are: {', '.join(_STOPS)}")
    stops = np.array([rgb(stop) for stop in _STOPS[name].split()])
    where = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(where, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    colours = np.stack(channels, axis=1).round().astype(np.uint8)
    colours.flags.writeable = False
    return colours


def colour_map(signed: bool, name: str | None = None) -> str:
    """The name of the colour map for a map of this sign: `name` where it fits, else the default."""
    fitting = SIGNED if signed else UNSIGNED
    return name if name is not None and name in fitting else fitting[0]


def _steps(name: str) -> list[tuple[float, tuple[int, int, int]]]:
    """Every fifth colour with its place, 0 to 1; a signed map has one at its very centre too."""
    steps = [(i / 255, rgb(css(table(name)[i]))) for i in range(0, 256, 5)]
    return sorted([*steps, (0.5, rgb("#ffffff"))]) if name in SIGNED else steps


def scale(name: str) -> list[list[Any]]:
    """The colour map `name` as a plotly colour scale."""
    return [[place, css(colour)] for place, colour in _steps(name)]


def fading_scale(name: str, opacity: float) -> list[list[Any]]:
    """The colour map `name` for drawing over an image: zero is clear, the scale's ends have `opacity`.

    What lies in between is as opaque as its distance from zero.
    """
    return [
        [t, f"rgba({r},{g},{b},{opacity * (abs(2 * t - 1) if name in SIGNED else t):.3f})"]
        for t, (r, g, b) in _steps(name)
    ]


def tables() -> dict[str, str]:
    """Every colour map as base64 of its 768 bytes, for the canvas."""
    return {name: base64.b64encode(table(name).tobytes()).decode() for name in _STOPS}


def colours(dark: bool = False) -> dict[str, str]:
    """The page's colours by role."""
    return DARK if dark else LIGHT


def palette(dark: bool = False) -> tuple[str, ...]:
    """Six colours for categories, each at least 3:1 against the surface."""
    return PALETTE_DARK if dark else PALETTE_LIGHT


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`."""
    digits = colour.lstrip("#")
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def css(colour: Any) -> str:
    """Three numbers 0 to 255 as `#rrggbb`."""
    red, green, blue = (int(c) for c in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink(background: str) -> str:
    """Black or white, whichever reads better on `background`; never below 4.5:1."""
    return "#000000" if contrast("#000000", background) >= contrast("#ffffff", background) else "#ffffff"


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def value_colours(values: np.ndarray, low: float, high: float, name: str) -> list[str]:
    """The CSS colour of each value on the scale `low` to `high`; values beyond it take the end's colour."""
    span = (high - low) or 1.0
    where = np.clip((np.asarray(values, np.float64) - low) / span, 0, 1)
    return [css(c) for c in table(name)[np.rint(where * 255).astype(int)]]


def template(dark: bool = False) -> str:
    """The name of the plotly template, registered on first use."""
    import plotly.io as pio

    name = "vitrine_dark" if dark else "vitrine_light"
    if name not in pio.templates:
        pio.templates[name] = _template(dark)
    return name


def templates() -> dict[str, Any]:
    """Both plotly templates as plain JSON, so that the browser can swap them without a round trip."""
    return {"light": _template(False), "dark": _template(True)}


def _template(dark: bool) -> dict[str, Any]:
    c = colours(dark)
    axis = {
        "gridcolor": c["line"],
        "zerolinecolor": c["edge"],
        "linecolor": c["edge"],
        "tickcolor": c["edge"],
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 13}},
        "tickfont": {"size": 12, "color": c["ink"]},
    }
    bar = {
        "outlinewidth": 0,
        "ticks": "outside",
        "ticklen": 4,
        "thickness": 14,
        "title": {"side": "right", "font": {"size": 13}},
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": c["ink"]},
            "title": {
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "font": {"size": 16},
                "subtitle": {"font": {"size": 12, "color": c["muted"]}},
            },
            "paper_bgcolor": c["surface"],
            "plot_bgcolor": c["surface"],
            "colorway": list(palette(dark)),
            "xaxis": axis,
            "yaxis": axis,
            "coloraxis": {"colorbar": bar},
            "hoverlabel": {
                "bgcolor": c["raised"],
                "bordercolor": c["edge"],
                "font": {"family": FONT, "size": 13, "color": c["ink"]},
                "align": "left",
            },
            "legend": {"font": {"size": 12}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": c["muted"], "activecolor": c["accent"]},
            "margin": {"l": 64, "r": 24, "t": 72, "b": 56},
            "dragmode": "pan",
        },
        "data": {"heatmap": [{"type": "heatmap", "colorbar": bar}]},
    }


def config(name: str = "vitrine") -> dict[str, Any]:
    """The `config` of every dcc.Graph: nothing is sent anywhere, `name` is the saved picture's file name."""
    return {
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "displaylogo": False,
        "responsive": True,
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": name},
    }

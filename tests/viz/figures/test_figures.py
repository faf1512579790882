"""Pictures: their values, ranges, titles with units, and that words in them are only words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from backends.results import Result
from tests.viz import samples
from viz import figures, theme
from viz.figures import bipartite, comparison, curves, head_grid, image_heat, logit_lens, token_heat, token_strip
from viz.figures.words import index, places, plain, visible

CASES = [(name, picture) for name, make in samples.ALL.items() for picture in figures.available(make())]


def titles(figure: Any) -> list[str]:
    axes = [figure.layout[a] for a in sorted(figure.layout) if a.startswith(("xaxis", "yaxis"))]
    return [axis.title.text for axis in axes]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for k, v in value.items() if k != "template" for s in strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(("name", "picture"), CASES)
def test_axes_have_titles_and_bars_units(name: str, picture: str) -> None:
    figure = figures.draw(samples.ALL[name](), picture)
    assert all(title and ("(" in title) for title in titles(figure)), titles(figure)
    if figure.layout.coloraxis.colorscale:
        bar = figure.layout.coloraxis
        assert "(" in bar.colorbar.title.text
        assert bar.cmin < bar.cmax
    assert figure.layout.title.text


@pytest.mark.parametrize(("name", "picture"), CASES)
@pytest.mark.parametrize("dark", [False, True])
def test_theme_and_binary_arrays(name: str, picture: str, dark: bool) -> None:
    figure = figures.draw(samples.ALL[name](), picture, dark=dark)
    assert figure.layout.template.layout.paper_bgcolor == theme.colours(dark)["surface"]
    for trace in json.loads(figure.to_json())["data"]:
        for part in ("z", "y"):
            if trace["type"] in ("heatmap", "bar") and part in trace and not isinstance(trace[part], list):
                assert trace[part]["dtype"] == "f4"
        assert trace["type"] in ("heatmap", "bar", "scatter")  # no WebGL: it needs eval
    assert not any(k in json.dumps(figure.to_plotly_json(), default=str) for k in ("scattergl", "xgap"))


@pytest.mark.parametrize(("name", "picture"), [c for c in CASES if c[0] != "image_attribution"])
def test_words_are_never_markup(name: str, picture: str) -> None:
    result = samples.ALL[name](samples.NASTY)
    facts = {**result.facts, "strings": dict.fromkeys(map(str, range(9)), "<b>x</b>"), "similarity": "<i>s</i>"}
    request = {**result.request, "model": "<a href='https://example.org'>m</a>"}
    result = dataclasses.replace(result, target="<script>alert(1)</script>", facts=facts, request=request)
    drawn = strings(json.loads(figures.draw(result, picture).to_json()))
    for text in drawn:
        assert "<img" not in text
        assert "<b>" not in text
        assert "<a " not in text
        assert "<script" not in text
        assert "<i>" not in text
        assert "&amp;lt;" not in text or "&lt;" in samples.NASTY
    assert any("&lt;" in text for text in drawn)


def test_every_kind_has_one_first_picture() -> None:
    for make in samples.ALL.values():
        first = [n for n in figures.available(make()) if figures.builders()[n].FIRST]
        assert len(first) == 1


def test_draw_refuses_with_what_there_is() -> None:
    odd = Result("daam", {"x": np.zeros((2, 2, 2, 2))}, {"x": ("a", "b", "c", "d")})
    with pytest.raises(Refused, match=r"no picture for a result of daam with x \(a, b, c, d\)"):
        figures.draw(odd)
    with pytest.raises(Refused, match="no picture 'pie' of this result; there are: token_heat, bipartite, head_grid"):
        figures.draw(samples.attention(), "pie")
    with pytest.raises(
        Refused, match="token_heat has no view 'colour'; there are: layer, head, hide_sink, scale, dark"
    ):
        figures.draw(samples.attention(), colour="red")


def test_plain_and_visible() -> None:
    assert plain("<b>&%{x}$y$") == "&lt;b&gt;&amp;%\u200b{x}&#36;y&#36;"
    assert visible(" Mary\n") == "·Mary⏎"
    assert visible("   ") == "···"
    assert visible("") == "∅"
    assert visible("\t") == "⇥"
    assert visible("a\u202eb") == "a⟨202E⟩b"
    assert len(visible("x" * 99)) == 32
    assert visible("x" * 99).endswith("…")
    assert places(["the", "the"]) == ["the ₀", "the ₁"]


def test_index_by_label_number_or_end() -> None:
    result = samples.attention()
    assert index(result, "layer", 3, "2") == 2
    assert index(result, "layer", 3, -1) == 2
    shifted = dataclasses.replace(result, labels={**result.labels, "layer": ("4", "5", "6")})
    assert index(shifted, "layer", 3, 5) == 1
    with pytest.raises(Refused, match="no layer '9'; there are: 0, 1, 2"):
        figures.draw(result, layer=9)


def test_token_heat_shows_the_head_and_hides_the_sink_without_renormalising() -> None:
    result = samples.attention()
    figure = figures.draw(result, layer=1, head=2)
    z = np.asarray(figure.data[0].z)
    assert z.dtype == np.float32
    assert np.isnan(z[:, 0]).all()
    np.testing.assert_array_equal(z[:, 1:], result.arrays["pattern"][1, 2][:, 1:])
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == pytest.approx(result.arrays["pattern"][1, 2][:, 1:].max())
    assert "not renormalised" in figure.layout.title.subtitle.text
    assert figure.layout.coloraxis.colorbar.title.text == "attention weight (probability)"
    assert titles(figure) == ["key token (position)", "query token (position)"]
    whole = figures.draw(result, layer=1, head=2, hide_sink=False)
    np.testing.assert_array_equal(whole.data[0].z, result.arrays["pattern"][1, 2])
    assert not whole.layout.title.subtitle.text


def test_scale_is_kept_and_clipping_is_said() -> None:
    figure = figures.draw(samples.attention(), scale=(0, 0.1), hide_sink=False)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 0.1)
    assert "lie beyond the shared scale" in figure.layout.title.subtitle.text


def test_pool_keeps_the_largest_magnitude() -> None:
    values = np.array([[1, 2, -9], [3, 0, 4], [-1, -2, 0.5]], np.float32)
    small, blocks = token_heat.pool(values, 2)
    np.testing.assert_array_equal(small, [[3, -9], [-2, 0.5]])
    assert blocks == (2, 2)
    np.testing.assert_array_equal(token_heat.pool(values, 3)[0], values)


def test_long_patterns_are_pooled_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_heat, "WIDEST", 4)
    figure = figures.draw(samples.attention(), hide_sink=False)
    assert np.shape(figure.data[0].z) == (4, 4)
    assert len(figure.data[0].x) == 4
    assert "each cell is the largest of 2 × 2" in figure.layout.title.subtitle.text


def test_head_grid_shows_each_statistic_with_its_unit() -> None:
    result = samples.attention()
    figure = figures.draw(result, "head_grid", statistic="to_first")
    np.testing.assert_array_equal(figure.data[0].z, result.arrays["to_first"])
    assert "(probability)" in figure.layout.coloraxis.colorbar.title.text
    assert head_grid.statistics(result) == ["entropy", "to_first"]
    with pytest.raises(Refused, match="no head statistic 'size'; there are: entropy, to_first"):
        figures.draw(result, "head_grid", statistic="size")


def test_bipartite_draws_the_weights_above_the_threshold() -> None:
    result = samples.attention()
    figure = figures.draw(result, "bipartite", layer=0, head=0, threshold=0.1)
    pattern = result.arrays["pattern"][0, 0].copy()
    pattern[:, 0] = 0
    lines = [t for t in figure.data if t.mode == "lines"]
    ends = {(int(y), int(z)) for t in lines for y, z in zip(t.y[0::3], t.y[1::3], strict=True)}
    assert ends == set(zip(*map(np.ndarray.tolist, np.nonzero(pattern >= 0.1)), strict=True))
    one = figures.draw(result, "bipartite", query=5, threshold=0.01)
    assert {int(y) for t in one.data if t.mode == "lines" for y in t.y[0::3]} == {5}


def test_bipartite_never_draws_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bipartite, "MOST_LINES", 5)
    figure = figures.draw(samples.attention(), "bipartite", threshold=0.0, hide_sink=False)
    assert sum(len(t.y) // 3 for t in figure.data if t.mode == "lines") == 5
    assert "5 of 36 lines" in figure.layout.title.subtitle.text


def test_token_strip_bars_and_symmetric_scale() -> None:
    result = samples.text_attribution()
    figure = figures.draw(result)
    most = float(np.abs(result.arrays["attribution"]).max())
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["attribution"])
    assert figure.layout.coloraxis.cmin == -most
    assert figure.layout.coloraxis.cmax == most
    assert titles(figure) == ["token (position)", "attribution (logit)"]
    unsigned = figures.draw(samples.text_attribution(signed=False))
    assert unsigned.layout.coloraxis.cmin == 0


def test_token_colours_give_the_text_back() -> None:
    result = samples.text_attribution()
    pieces = token_strip.token_colours(result, scale=(-2, 2))
    assert "".join(p.text for p in pieces if p.text != "[CLS]") == result.facts["text"]
    valued = [p for p in pieces if p.value is not None]
    np.testing.assert_allclose([p.value for p in valued], result.arrays["attribution"])
    assert [p.colour for p in valued] == theme.value_colours(result.arrays["attribution"], -2, 2, "blue-white-red")


def test_token_colours_of_split_characters_name_the_token() -> None:
    result = samples.text_attribution(("é",))
    spans = np.array([[0, 0], [0, 1]], np.int32)
    twice = dataclasses.replace(
        result,
        arrays={"attribution": np.ones(3, np.float32), "span": np.vstack([spans, [[0, 1]]]).astype(np.int32)},
        labels={"token": ("[CLS]", "Ã", "©")},
    )
    assert [p.text for p in token_strip.token_colours(twice)] == ["[CLS]", "é", "©"]


def test_image_heat_over_the_picture() -> None:
    result = samples.image_attribution(16)
    figure = figures.draw(result, threshold=0.5, outline=samples.truth(16))
    z = np.asarray(figure.data[0].z)
    most = float(np.abs(result.arrays["attribution"]).max())
    assert np.isnan(z).sum() == (np.abs(result.arrays["attribution"]) < 0.5 * most).sum()
    assert figure.layout.images[0].source.startswith("data:image/png;base64,")
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert "hidden below" in figure.layout.title.subtitle.text
    assert "ground truth" in figure.layout.title.subtitle.text
    assert titles(figure) == ["column (pixel)", "row (pixel)"]
    with pytest.raises(Refused, match=r"the outline has shape \(3, 3\) but the map has \(16, 16\)"):
        figures.draw(result, outline=np.zeros((3, 3), bool))


def test_contour_goes_round_one_cell() -> None:
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    x, y = image_heat.contour(mask)
    assert np.isnan(x).sum() == 4
    assert {(a, b) for a, b in zip(x[~np.isnan(x)], y[~np.isnan(y)], strict=True)} == {
        (0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (1.5, 1.5),
    }  # fmt: skip


def test_lens_table_shows_top_tokens_and_colours() -> None:
    result = samples.lens()
    figure = figures.draw(result)
    np.testing.assert_array_equal(figure.data[0].z, result.arrays["probability"][..., 0])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    best = [plain(result.facts["strings"][str(i)], 12) for i in result.arrays["token"][:, :, 0].ravel()]
    assert list(figure.data[1].text) == best
    assert figure.data[0].customdata[0][0].count("<br>") == 4
    kl = figures.draw(result, colour="kl")
    np.testing.assert_array_equal(kl.data[0].z, result.arrays["kl"])
    assert "(nat)" in kl.layout.coloraxis.colorbar.title.text
    part = figures.draw(result, start=1, most=2)
    assert list(part.data[0].x) == ["·Mary ₁", "·and ₂"]
    assert "positions 1 to 2 of 6" in part.layout.title.subtitle.text
    with pytest.raises(Refused, match="no measure 'joy' of the lens; there are: probability, entropy, kl"):
        figures.draw(result, colour="joy")


def test_lens_words_can_be_read_on_their_cells() -> None:
    figure = figures.draw(samples.lens())
    behind = theme.value_colours(np.ravel(figure.data[0].z), 0, 1, "viridis")
    for ink, ground in zip(figure.data[1].textfont.color, behind, strict=True):
        assert theme.contrast(ink, ground) >= 4.5


def test_curves_follow_target_and_tokens() -> None:
    result = samples.lens()
    assert curves.measures(result) == ["probability", "rank", "entropy", "kl"]
    figure = figures.draw(result, "curves", position=2, tokens=[1])
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["target_probability"][:, 2])
    where = result.arrays["token"][:, 2] == 1
    expected = np.where(where.any(1), (result.arrays["probability"][:, 2] * where).sum(1), np.nan)
    np.testing.assert_allclose(figure.data[1].y, expected)
    rank = figures.draw(result, "curves", measure="rank", position=2)
    np.testing.assert_array_equal(rank.data[0].y, result.arrays["target_rank"][:, 2])
    assert rank.layout.yaxis.type == "log"
    assert rank.layout.yaxis.autorange == "reversed"
    assert titles(figures.draw(result, "curves", measure="entropy"))[1] == "entropy of the prediction (nat)"
    with pytest.raises(Refused, match="no curve 'joy' in this result; there are: probability, rank, entropy, kl"):
        figures.draw(result, "curves", measure="joy")
    with pytest.raises(Refused, match="no position '9'; there are:"):
        figures.draw(result, "curves", position=9)


def test_ranks_from_zero_are_shown_from_one() -> None:
    result = samples.lens()
    arrays = {**result.arrays, "rank": result.arrays["rank"] - 1, "target_rank": result.arrays["target_rank"] - 1}
    figure = figures.draw(dataclasses.replace(result, arrays=arrays), "curves", measure="rank")
    np.testing.assert_array_equal(figure.data[0].y, result.arrays["target_rank"][:, -1])


def test_trajectory_path_similarity_and_norms() -> None:
    result = samples.trajectory()
    path = figures.draw(result, components=(0, 2), positions=[1, 2])
    np.testing.assert_array_equal(path.data[0].x, result.arrays["path"][:, 1, 0])
    np.testing.assert_array_equal(path.data[1].y, result.arrays["path"][:, 2, 2])
    assert path.layout.yaxis.scaleanchor == "x"
    assert titles(path)[0] == "principal component 1 (62% of the variance, activation)"
    alike = figures.draw(result, "similarity")
    np.testing.assert_allclose(np.diag(alike.data[0].z), 1, atol=1e-5)
    norms = figures.draw(result, "norms", hide_sink=False)
    np.testing.assert_array_equal(norms.data[0].z, result.arrays["norm"])
    with pytest.raises(Refused, match=r"along two of its 3 components, not \(0, 7\)"):
        figures.draw(result, components=(0, 7))


def test_shared_scale_covers_all_and_says_what_differs() -> None:
    signed, unsigned = samples.text_attribution(), samples.text_attribution(signed=False)
    low, high = comparison.shared_scale([signed, unsigned])
    assert low == -high == -float(np.abs(signed.arrays["attribution"]).max())
    assert comparison.differences([signed, signed]) == []
    other = dataclasses.replace(unsigned, unit="probability", target="routine")
    said = " ".join(comparison.differences([signed, other]))
    assert "units differ" in said
    assert "signs differ" in said
    assert "targets differ" in said
    assert "integrated gradients in logit" in said


def test_token_text_of_an_unknown_id_is_its_number() -> None:
    assert logit_lens.token_text(samples.lens(), 99) == "#99"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("bundled/triage", "bundled/triage"),
        ("org/name?dtype=bfloat16", "org/name?dtype=bfloat16"),
        ("/home/ann/models/minilm/v2", "…/minilm/v2"),
        ("~/models", "~/models"),
    ],
)
def test_a_title_says_a_folder_by_the_end_of_its_path(model: str, said: str) -> None:
    from viz.figures import scale

    assert scale.short(model) == said

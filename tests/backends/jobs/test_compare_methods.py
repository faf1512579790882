"""Maps beside one another: ranks, agreement, and where they lie on a known or a drawn region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backends.errors import Refused
from backends.jobs import compare_methods
from backends.requests import CompareMethods, MethodReceipt
from backends.results import Result
from tests.backends.jobs.asking import Asking


def picture(values: np.ndarray) -> Result:
    return Result("given", {"attribution": values.astype(np.float32)}, {"attribution": ("height", "width")})


def text(values: list[float], spans: list[tuple[int, int]], words: str) -> Result:
    arrays = {"attribution": np.array(values, np.float32), "span": np.array(spans, np.int32)}
    axes = {"attribution": ("token",), "span": ("token", "edge")}
    return Result("given", arrays, axes, facts={"text": words})


def test_large_maps_are_read_on_a_grid_and_small_ones_as_they_are() -> None:
    small = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(compare_methods.coarse(picture(small)), small)
    large = np.zeros((130, 100))
    large[:3, :3] = 6
    coarse = compare_methods.coarse(picture(large))
    assert coarse.shape == (44, 34)  # squares of three pixels, the last ones cut
    assert coarse[0, 0] == 6
    assert coarse.sum() == 6
    assert compare_methods.coarse(picture(np.ones((130, 100)))).max() == 1


def test_special_tokens_belong_to_no_word() -> None:
    made = text([9, 1, 2, 9], [(0, 0), (0, 2), (3, 7), (0, 0)], "no fever")
    assert compare_methods.coarse(made).tolist() == [1, 2]
    assert compare_methods.coarse_region(made, {"words": ["FEV"]}).tolist() == [False, True]
    with pytest.raises(Refused, match="none of these words stand in the text: 'pain'"):
        compare_methods.coarse_region(made, {"words": ["pain", ""]})
    with pytest.raises(Refused, match="nothing is known of which words"):
        compare_methods.coarse_region(made, {"model": "bundled/none", "example": 0})


def test_a_drawn_box_is_a_share_of_the_picture() -> None:
    made = picture(np.zeros((8, 4)))
    inside = compare_methods.coarse_region(made, {"box": [0.5, 0.0, 1.0, 0.25]})
    assert np.argwhere(inside).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    with pytest.raises(Refused, match="nothing called 'lung' is known"):
        compare_methods.coarse_region(made, {"mask": "lung", "model": "bundled/radiograph", "example": 0})


@pytest.mark.parametrize("kind", ["mask", "box", "none"])
def test_the_maps_of_a_film(tmp_path: Path, kind: str) -> None:
    here = Asking(tmp_path, "bundled/radiograph", 0)
    audits = {}
    for method in ("hires_cam", "saliency", "deep_lift"):
        request = here.tested(MethodReceipt, method)
        here.do(request)
        audits[method] = request.key()
    region = {
        "mask": {"mask": "lesion", "model": "bundled/radiograph", "example": 0}, "box": {"box": [0, 0, 1, 1]},
    }.get(kind)  # fmt: skip
    made = here.do(here.request(CompareMethods, audits=audits, region=region))
    assert [row["rank"] for row in made["table"]] == [1, 2, 3]
    assert [row["value"] for row in made["table"]] == sorted((r["value"] for r in made["table"]), reverse=True)
    alike = np.array(made["agreement"]["similarity"])
    assert np.allclose(np.diag(alike), 1)
    assert np.allclose(alike, alike.T)
    if kind == "mask":
        assert made["located"]["hires_cam"]["pointing"]["value"] == 1.0
        row = next(r for r in made["table"] if r["method"] == "hires_cam")
        assert row["mass_inside"] == made["located"]["hires_cam"]["mass inside"]["value"] > 0.2
    elif kind == "box":
        assert "empty or everything" in made["problem"]
    else:
        assert made["located"] == {}
        assert made["problem"] == ""


def test_one_map_has_nothing_to_agree_with_and_withdrawn_ones_are_left_out(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    audits = {}
    for method in ("saliency", "deep_lift"):
        here.do(here.tested(MethodReceipt, method))
        audits[method] = here.tested(MethodReceipt, method).key()
    region = {"model": "bundled/triage", "example": 0}
    made = here.do(here.request(CompareMethods, audits=audits, region=region))
    assert [row["method"] for row in made["table"]] == ["saliency"]
    assert made["agreement"] is None
    assert made["located"]["saliency"]["rank accuracy"]["value"] > 0


def test_a_flat_map_is_compared_like_any_other(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/radiograph", raw={"image": Image.new("RGB", (64, 64))})
    audits = {}
    for method in ("integrated_gradients", "saliency"):
        request = here.tested(MethodReceipt, method)
        here.do(request)
        audits[method] = request.key()
    made = here.do(here.request(CompareMethods, audits=audits, region={"box": [0.2, 0.2, 0.5, 0.5]}))
    flat = made["located"]["integrated_gradients"]["mass inside"]
    assert flat["control"] is None
    assert flat["p"] == 1
    assert made["located"]["saliency"]["mass inside"]["control"]


def test_a_map_that_is_gone_takes_its_audit_with_it(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    request = here.tested(MethodReceipt, "saliency")
    made = here.do(request)
    here.store.forget(made["map"])
    with pytest.raises(Refused, match="the maps of saliency are no longer kept here; open the page again"):
        here.do(here.request(CompareMethods, audits={"saliency": request.key()}, region=None))
    assert not here.store.has(request.key())


def test_named_words_that_are_not_there_are_told_beside_those_that_are(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    request = here.tested(MethodReceipt, "saliency")
    here.do(request)
    region = {"words": ["CHEST", "xylophone"]}
    made = here.do(here.request(CompareMethods, audits={"saliency": request.key()}, region=region))
    assert made["problem"] == "not in the text, and left out: xylophone"
    assert made["located"]["saliency"]

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from backends import registry
from backends.errors import Refused
from backends.results import Result, decode_array, encode_array, regroup, update_request

TEXT = "No fever. But severe chest pain.\n\nCall now"


def attribution() -> Result:
    spans = [
        (0, 0),
        (0, 2),
        (3, 6),
        (6, 8),
        (8, 9),
        (10, 13),
        (14, 20),
        (21, 26),
        (27, 31),
        (31, 32),
        (34, 38),
        (39, 42),
        (0, 0),
    ]
    names = ["[CLS]", *(TEXT[a:b] for a, b in spans[1:-1]), "[SEP]"]
    return Result(
        method="saliency",
        arrays={"attribution": np.arange(13, dtype=np.float32) - 3, "span": np.array(spans, np.int32)},
        axes={"attribution": ("token",), "span": ("token", "edge")},
        labels={"token": tuple(names)},
        unit="logit",
        signed=True,
        target="urgent",
        facts={"text": TEXT, "completeness_gap": 0.01},
        request={"model": "bundled/triage"},
    )


@pytest.mark.parametrize(("weights", "method"), [("place", "hires_cam"), ("channel", "grad_cam")])
def test_a_map_of_grad_cam_stored_with_its_old_option_is_called_what_it_is(tmp_path, weights, method) -> None:
    options = {"layer": 2, "weights": weights, "positive": False}
    request = {"job": "run", "model": "bundled/radiograph", "method": "grad_cam", "options": options}
    old = dataclasses.replace(attribution(), method="grad_cam", request=request)
    old.save(tmp_path / "r")
    again = Result.load(tmp_path / "r")
    assert (again.method, again.request["method"]) == (method, method)
    assert again.request["options"] == {"layer": 2, "positive": False}
    assert registry.method(method).build(again.request["options"]).options() == again.request["options"]
    np.testing.assert_array_equal(again.arrays["attribution"], old.arrays["attribution"])


def test_other_requests_open_as_they_were_stored() -> None:
    for request in ({}, {"options": None}, {"options": {"weights": "place"}}, {"method": "saliency"}):
        assert update_request("saliency", request) == ("saliency", request)
    assert update_request("grad_cam", {"options": {"layer": 1}}) == ("grad_cam", {"options": {"layer": 1}})


def test_a_saved_result_opens_equal(tmp_path) -> None:
    result = attribution()
    result.save(tmp_path / "r")
    again = Result.load(tmp_path / "r")
    for field in dataclasses.fields(Result):
        if field.name != "arrays":
            assert getattr(again, field.name) == getattr(result, field.name)
    assert list(again.arrays) == list(result.arrays)
    for name, array in result.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)
    assert {p.name for p in (tmp_path / "r").iterdir()} == {"result.json", "arrays.safetensors"}
    json.loads((tmp_path / "r" / "result.json").read_text())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"axes": {"attribution": ("token",)}}, "disagree"),
        ({"axes": {"attribution": ("token", "x"), "span": ("token", "edge")}}, r"shape \(13,\) but axes"),
        ({"labels": {"token": ("a", "b")}}, "13 entries but 2 labels"),
        (
            {"arrays": {"attribution": np.zeros(4, np.float32), "span": np.zeros((5, 2), np.int32)}},
            "4 entries, in span 5",
        ),
        ({"arrays": {}, "axes": {}}, "disagree"),
    ],
)
def test_shapes_that_disagree_are_refused(change, sentence) -> None:
    with pytest.raises(Refused, match=sentence):
        dataclasses.replace(attribution(), **change)


def test_a_folder_without_a_result_is_refused(tmp_path) -> None:
    with pytest.raises(Refused, match="no saved result in"):
        Result.load(tmp_path)
    attribution().save(tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(Refused, match="no saved result in"):
        Result.load(tmp_path)
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(Refused, match="no saved result in"):
        Result.load(tmp_path)


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("word", ["[CLS]", "No", "fever", ".", "But", "severe", "chest", "pain", ".", "Call", "now", "[SEP]"]),
        ("sentence", ["[CLS]", "No fever.", "But severe chest pain.", "Call now", "[SEP]"]),
        ("paragraph", ["[CLS]", "No fever. But severe chest pain.", "Call now", "[SEP]"]),
    ],
)
def test_regrouping_keeps_the_sum_and_the_text(by, labels) -> None:
    result = attribution()
    grouped = regroup(result, by)
    assert list(grouped.labels["token"]) == labels
    assert grouped.arrays["attribution"].sum() == result.arrays["attribution"].sum()
    assert grouped.facts["grouped_by"] == by
    assert regroup(result, "token") is result


def test_two_pieces_of_one_word_are_added() -> None:
    grouped = regroup(attribution(), "word")
    assert grouped.arrays["attribution"][2] == -1 + 0  # "fev" + "er"


def test_an_unknown_grouping_is_refused() -> None:
    with pytest.raises(Refused, match="cannot group by 'verse'; there are: token, word"):
        regroup(attribution(), "verse")


@pytest.mark.parametrize("shape", [(3, 4), (0,), (2, 1, 5)])
def test_an_array_goes_to_json_and_comes_back(shape) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    back = decode_array(json.loads(json.dumps(encode_array(values))))
    assert back.shape == shape
    assert np.array_equal(back, values.astype(np.float32))

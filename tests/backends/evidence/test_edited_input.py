"""What is hidden or swapped in an input, and what the model answers then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import backends
from backends.errors import Refused
from backends.evidence import edited_input
from backends.inputs.edits import Edits
from backends.methods.base import no_step

NOTE = "no fever but severe chest pain"


def test_hiding_what_decides_flips_the_triage() -> None:
    model = backends.open_model("bundled/triage")
    at = NOTE.index("chest")
    found = edited_input.answer(model, {"text": NOTE}, Edits(((at, at + 5),)), "mask", no_step)
    urgent = next(c for c in found["choices"] if c["label"] == "urgent")
    assert urgent["before"] > 0.99
    assert urgent["after"] < 0.5
    assert found["flips"]
    assert sum(c["before"] for c in found["choices"]) == pytest.approx(1, abs=1e-5)
    assert sum(c["after"] for c in found["choices"]) == pytest.approx(1, abs=1e-5)


def test_nothing_touched_changes_nothing_and_a_swap_is_the_other_text(tiny_bert: Path) -> None:
    model = backends.open_model(str(tiny_bert))
    same = edited_input.answer(model, {"text": "no fever"}, Edits(), "mask", no_step)
    assert all(c["before"] == pytest.approx(c["after"]) for c in same["choices"])
    swapped = edited_input.answer(model, {"text": "no fever"}, Edits((), ((3, 8, "pain"),)), "mask", no_step)
    other = {c.label: c.probability for c in model.predict(model.encode({"text": "no pain"}))}
    assert {c["label"]: c["after"] for c in swapped["choices"]} == pytest.approx(other)


def test_a_hidden_region_is_what_the_receipt_hides(tiny_vit: Path, picture: Any) -> None:
    model = backends.open_model(str(tiny_vit))
    raw = {"image": Image.fromarray(picture)}
    found = edited_input.answer(model, raw, Edits(regions=((0, 0, 500, 1000),)), "mean", no_step)
    batch = model.encode(raw)
    features = model.features(batch)
    gone = features.clone()
    half = features.shape[2] // 2
    gone[:, :, :half] = model.baseline(features, batch, "mean")[:, :, :half]
    with torch.no_grad():
        wanted = model.outputs(gone, batch)[0].float().softmax(-1).numpy()
    told = {c["label"]: c["after"] for c in found["choices"]}
    assert all(
        told[model.name_of(i)] == pytest.approx(float(p), abs=1e-5)
        for i, p in enumerate(wanted)
        if model.name_of(i) in told
    )
    assert np.isfinite(list(told.values())).all()
    assert "image" not in found
    whole = edited_input.answer(model, raw, Edits(), "mean", no_step)
    assert whole["image"].startswith("data:image/png;base64,")  # what the model saw, to be touched


def test_what_does_not_fit_is_refused(tiny_bert: Path, tiny_vit: Path, picture: Any) -> None:
    reader, viewer = backends.open_model(str(tiny_bert)), backends.open_model(str(tiny_vit))
    with pytest.raises(Refused, match="this input has no image: hide words"):
        edited_input.answer(reader, {"text": "no fever"}, Edits(regions=((0, 0, 10, 10),)), "mask", no_step)
    with pytest.raises(Refused, match="this input has no text: hide a region"):
        edited_input.answer(viewer, {"image": Image.fromarray(picture)}, Edits(((0, 2),)), "mean", no_step)
    with pytest.raises(Refused, match="no token of this model stands at letters 2 to 3"):
        edited_input.answer(reader, {"text": "no fever"}, Edits(((2, 3),)), "mask", no_step)
    with pytest.raises(Refused, match="cannot hide parts by 'magic'; it can by"):
        edited_input.answer(reader, {"text": "no fever"}, Edits(((0, 2),)), "magic", no_step)


def test_a_region_of_a_thousandth_at_the_edge_hides_a_pixel(tiny_vit: Path, picture: Any) -> None:
    model = backends.open_model(str(tiny_vit))
    batch = model.encode({"image": Image.fromarray(picture)})
    hidden = edited_input._mask(batch, (), ((999, 999, 1000, 1000),))
    assert int(hidden.sum()) == 1
    assert bool(hidden[0, 0, -1, -1])


def test_an_answer_of_several_classes_flips_when_one_of_them_crosses_a_half(tiny_bert: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_bert, tmp_path / "several")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    model = backends.open_model(str(other))
    batches = [model.encode({"text": text}) for text in ("no fever", "no pain")]
    with torch.no_grad():
        logits = torch.stack([model.outputs(model.features(b), b)[0].float() for b in batches])
        head = [m for m in model.module.modules() if isinstance(m, torch.nn.Linear)][-1]
        lift = torch.full_like(logits[0], 20.0)  # the first class holds in both texts and leads
        lift[1:] = -logits.mean(0)[1:]  # the others are just above a half in one text, just below in the other
        head.bias.add_(lift)
    swapped = edited_input.answer(model, {"text": "no fever"}, Edits((), ((3, 8, "pain"),)), "mask", no_step)
    assert max(swapped["choices"], key=lambda c: c["before"]) == max(swapped["choices"], key=lambda c: c["after"])
    assert swapped["flips"]
    assert not edited_input.answer(model, {"text": "no fever"}, Edits(), "mask", no_step)["flips"]

"""Memory: what is free, what a model's files need, what an open model holds, and what is said where it does not fit."""

from __future__ import annotations

import json
import struct

import pytest

import backends
from backends import catalog
from backends.cost import memory
from backends.errors import Unsettled

NAMES = ("tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm", "tiny_vit", "tiny_resnet")


def heavy(folder, numbers: int):
    """A folder whose safetensors claims to hold so many numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 0]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    return folder


def test_a_model_that_does_not_fit_is_a_sentence_before_it_is_loaded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 20 * 2**30)
    folder = heavy(tmp_path, 7 * 10**9)
    assert memory.count_weight_bytes(catalog.resolve(str(folder))) == 28 * 10**9
    told = "needs 26.1 GB for its weights in float32, and cpu has 19.8 GB free; in bfloat16 it needs 13.0 GB: open '"
    with pytest.raises(Unsettled, match=told):
        backends.open_model(str(folder))
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 10 * 2**30)
    with pytest.raises(Unsettled, match=r"with load=8bit \(needs bitsandbytes\) it takes 6.5 GB"):
        backends.open_model(f"{folder}?dtype=bfloat16")
    monkeypatch.setattr(memory, "measure_free_bytes", lambda device="cpu": 2**30)
    with pytest.raises(Unsettled, match="use a smaller model, a device with more memory, or device=auto"):
        backends.open_model(str(folder))


def test_weights_that_are_there_twice_count_once(tmp_path) -> None:
    heavy(tmp_path, 100)
    (tmp_path / "model.safetensors").rename(tmp_path / "model-00001-of-00001.safetensors")
    heavy(tmp_path, 10**6)
    (tmp_path / "model.safetensors").rename(tmp_path / "consolidated.safetensors")
    index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert memory.count_weight_bytes(catalog.resolve(str(tmp_path))) == 400


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_those_that_the_open_model_holds(opened, name) -> None:
    model = opened(name)
    stored = memory.count_weight_bytes(catalog.resolve(model.name))
    held = memory.count_held_bytes(model)
    buffers = sum(b.numel() * b.element_size() for b in model.module.buffers())
    assert held - buffers <= stored <= held  # positions and the like are made, not read


def test_free_memory_stays_within_a_container(monkeypatch, tmp_path) -> None:
    figures = {"/sys/fs/cgroup/memory.max": 3000, "/sys/fs/cgroup/memory.current": 1000}
    monkeypatch.setattr(memory, "_read_number", figures.get)
    monkeypatch.setattr(memory, "_read_cached_bytes", lambda: 500)
    assert memory.measure_free_bytes() == 2500
    monkeypatch.setattr(memory, "_read_number", lambda path: None)
    assert memory.measure_free_bytes() > 2**20


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 MB"), (3 * 2**20, "3 MB"), (2**30, "1.0 GB"), (1.55 * 2**30, "1.6 GB")]
)
def test_bytes_are_written_as_a_person_reads_them(size, words) -> None:
    assert memory.format_bytes(size) == words


def test_the_budget_is_a_setting_in_gigabytes(monkeypatch) -> None:
    monkeypatch.setenv("VITRINE_MODEL_GB", "1.5")
    assert memory.read_budget() == 3 * 2**29


def test_files_that_cannot_be_read_are_left_to_opening(tmp_path) -> None:
    heavy(tmp_path, 100)
    source = catalog.resolve(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    assert memory.check_fits(source, "cpu") == 0

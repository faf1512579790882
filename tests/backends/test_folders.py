"""Hostile and careless folders: each gets its sentence, none hangs, none is read outside the roots."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from pathlib import Path

import pytest

from backends import catalog, folders
from backends.errors import Refused
from backends.inputs import datasets


@pytest.fixture
def copy(tiny_bert: Path, tmp_path: Path):
    """A copy of a good folder, whose config takes the changes given."""

    def make(**config) -> Path:
        to = tmp_path / "model"
        shutil.copytree(tiny_bert, to)
        about = json.loads((to / "config.json").read_text()) | config
        (to / "config.json").write_text(json.dumps(about))
        return to

    return make


def test_a_good_folder_is_taken(copy) -> None:
    made = copy()
    assert catalog.resolve(str(made)).path == made


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_hidden_layers": 10**7}, r"says num_hidden_layers = 10,000,000, and its weights hold \d+ tensors"),
        ({"hidden_size": 10**12}, "says hidden_size = 1000000000000, which no network has"),
        ({"hidden_size": 4096}, "says hidden_size = 4,096, and no side of its weights is over"),
        ({"vocab_size": 10**7}, "says vocab_size = 10,000,000, and no side of its weights"),
        ({"max_position_embeddings": 10**7}, "says max_position_embeddings = 10,000,000, and no side"),
        ({"num_attention_heads": 0}, "says num_attention_heads = 0, which no network has"),
        ({"hidden_size": -64}, "says hidden_size = -64, which no network has"),
        ({"hidden_size": "64; import os"}, "says hidden_size = 64; import os, which no network has"),
        ({"text_config": {"num_hidden_layers": 10**7}}, "says num_hidden_layers"),
        ({"architectures": 5}, "names its architecture as a number; it must be a list of names"),
        ({"architectures": [5]}, "names its architecture as a list"),
        ({"_attn_implementation": "evil/kernel:fn"}, "asks for the attention 'evil/kernel:fn', code from elsewhere"),
        ({"id2label": {str(i): "x" for i in range(100_001)}}, "names 100,001 classes; at most 100,000 are shown"),
        ({"id2label": {"0": "\ud800", "1": "b"}}, "the name of class 0 in config.json is half a character, no text"),
    ],
)
def test_a_config_that_claims_too_much_is_refused_before_anything_is_built(copy, change, sentence) -> None:
    made = copy(**change)
    with pytest.raises(Refused, match=sentence):
        catalog.resolve(str(made))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "config.json holds a list, not the settings of a model"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "'config.json' is nested too deeply to be read"),
        ("{", "'config.json' cannot be read as JSON"),
        ('{"x": "' + "a" * (17 * 2**20) + '"}', "'config.json' has 17 MB; at most 16 MB are read"),
    ],
)
def test_a_config_that_is_none_is_refused(copy, text, sentence) -> None:
    made = copy()
    (made / "config.json").write_text(text)
    with pytest.raises(Refused, match=sentence):
        catalog.resolve(str(made))


def test_an_index_of_weights_leads_nowhere_else(copy) -> None:
    made = copy()
    index = made / "model.safetensors.index.json"
    for shard, sentence in {
        "../outside/w.safetensors": "outside the folder; weights lie beside it",
        "/etc/passwd": "outside the folder",
        "pytorch_model.bin": "a format that can run code when opened",
        "model-00002-of-00002.safetensors": "which is not there; copy all files of the model",
    }.items():
        index.write_text(json.dumps({"weight_map": {"a": shard}}))
        with pytest.raises(Refused, match=sentence):
            catalog.resolve(str(made))
    index.write_text("[1]")
    with pytest.raises(Refused, match="does not list which file holds which weight"):
        catalog.resolve(str(made))


def test_weights_linked_out_of_the_roots_are_refused(copy, tmp_path, monkeypatch) -> None:
    made = copy()
    outside = tmp_path / "outside.safetensors"
    (made / "model.safetensors").rename(outside)
    (made / "model.safetensors").symlink_to(outside)
    assert catalog.resolve(str(made)).path == made  # as the hub's own cache links them
    monkeypatch.setenv("VITRINE_ROOTS", str(made))
    with pytest.raises(Refused, match=r"'model.safetensors' is a link that leads outside"):
        catalog.resolve(str(made))


def test_a_pipe_in_the_place_of_a_file_hangs_nobody(copy, tmp_path) -> None:
    made = copy()
    (made / "config.json").unlink()
    os.mkfifo(made / "config.json")
    with pytest.raises(Refused, match=r"'config.json' is a pipe, not a file"):
        catalog.resolve(str(made))
    films = tmp_path / "films"
    films.mkdir()
    os.mkfifo(films / "labels.csv")
    (films / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(Refused, match=r"'labels.csv' is a pipe, not a file"):
        datasets.open_path(str(films))
    (films / "labels.csv").unlink()
    with pytest.raises(Refused, match="there is no image in 'films'"):
        datasets.open_path(str(films))
    os.mkfifo(tmp_path / "texts.csv")
    with pytest.raises(Refused, match="is a pipe"):
        datasets.open_path(str(tmp_path / "texts.csv"))


def test_nobody_learns_what_lies_outside_the_roots(copy, tmp_path, monkeypatch) -> None:
    made = copy()
    monkeypatch.setenv("VITRINE_ROOTS", str(tmp_path / "elsewhere"))
    for path in (made, tmp_path / "nothing", made / ".." / "model"):
        with pytest.raises(Refused, match="folders are opened only below"):
            catalog.resolve(str(path))
    monkeypatch.setenv("VITRINE_ROOTS", "none")
    for path in (made, tmp_path / "nothing"):
        with pytest.raises(Refused, match="this server opens no folder from its own disk"):
            catalog.resolve(str(path))
        with pytest.raises(Refused, match="this server opens no data from its own disk"):
            datasets.open_path(str(path))
    assert catalog.resolve("bundled/triage").kind == "bundled"


@pytest.mark.parametrize("name", ["/" + "n" * 300, "~nobody-here/model", "./a\0b", "../" * 3000])
def test_names_that_no_system_takes_are_a_sentence(name) -> None:
    with pytest.raises(Refused):
        catalog.resolve(name)
    with pytest.raises(Refused):
        datasets.open_path(name)


def test_a_folder_without_permission_says_so(copy, monkeypatch) -> None:
    made = copy()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("config.json") and real(path, mode))
    with pytest.raises(Refused, match=r"'config.json' cannot be read: this server has no permission"):
        catalog.resolve(str(made))


def test_a_tokenizer_rule_of_ten_megabytes_is_refused(copy) -> None:
    made = copy()
    about = json.loads((made / "tokenizer.json").read_text())
    about["normalizer"] = {"type": "Prepend", "prepend": "pain " * 2_000_000}
    (made / "tokenizer.json").write_text(json.dumps(about))
    with pytest.raises(Refused, match=r"the normalizer of tokenizer\.json holds a text of 10,000,000 characters"):
        catalog.resolve(str(made))


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0", struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 9) + b"not JSON!", b"\x02" + bytes(7) + b"{}"],
)
def test_damaged_weights_have_no_shapes_and_stop_nobody(tmp_path, data) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    assert folders.read_shapes(tmp_path) == {}


def test_shapes_are_those_of_the_weights(tiny_bert) -> None:
    import safetensors.torch

    whole = safetensors.torch.load_file(tiny_bert / "model.safetensors")
    assert folders.read_shapes(tiny_bert) == {name: tuple(tensor.shape) for name, tensor in whole.items()}


def test_weights_that_are_no_numbers_are_told(copy) -> None:
    import safetensors.torch

    import backends

    made = copy()
    whole = safetensors.torch.load_file(made / "model.safetensors")
    name = next(n for n in whole if n.endswith("classifier.weight"))
    whole[name][0, 0] = float("nan")
    safetensors.torch.save_file(whole, made / "model.safetensors", {"format": "pt"})
    model = backends.open_model(str(made))
    assert any(f"hold values that are no numbers ({name} …)" in warning for warning in model.warnings)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_zip_is_a_sentence(seed) -> None:
    import io
    import random
    import zipfile

    chance = random.Random(seed)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", chance.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])) as z:
        z.writestr("x.png", chance.randbytes(3000) + bytes(3000))
        z.writestr("t.csv", "text,label\na,b\n" * 300)
    data = bytearray(file.getvalue())
    start = chance.randrange(len(data) - 20)
    data[start : start + 20] = chance.randbytes(20)
    with contextlib.suppress(Refused):  # anything else that it raises fails this test
        datasets.open_files([("a.zip", bytes(data))])


def test_a_pattern_that_explodes_is_a_sentence(copy) -> None:
    import backends

    made = copy()
    about = json.loads((made / "tokenizer.json").read_text())
    about["pre_tokenizer"] = {
        "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip
    (made / "tokenizer.json").write_text(json.dumps(about))
    model = backends.open_model(str(made))
    with pytest.raises(Refused, match="fails on this text"):
        model.encode({"text": "a" * 60 + "!"})

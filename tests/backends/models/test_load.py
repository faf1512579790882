"""Folders and what they name, libraries that are missing, and processors that do not open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends.catalog import Source
from backends.errors import Refused
from backends.models import load


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source("mine", "folder", tmp_path, "0")


def put(source: Source, name: str, content: Any) -> None:
    assert source.path
    (source.path / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"architectures": ["BertForMaskedLM"]}, ("BertForMaskedLM",)),
        ({"architectures": None, "model_type": "bert"}, ("BertModel",)),
        ({"model_type": "unheard-of"}, ()),
    ],
)
def test_the_config_names_the_architecture_or_the_type_does(source: Source, config: Any, named: tuple) -> None:
    put(source, "config.json", config)
    assert load.read_architectures(source) == named


def test_a_pipeline_goes_before_a_config_and_names_its_class(source: Source) -> None:
    put(source, "config.json", {"architectures": ["BertModel"]})
    put(source, load.PIPELINE, {"_class_name": "StableDiffusionPipeline"})
    assert load.read_architectures(source) == ("StableDiffusionPipeline",)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.json", "not json", "'mine': config.json cannot be read as a transformers config"),
        ("config.json", [1], "'mine': config.json cannot be read as a transformers config"),
        (load.PIPELINE, {}, "'mine': model_index.json cannot be read as a diffusers pipeline"),
        (load.PIPELINE, {"_class_name": ["own", "Pipe"]}, "'mine' brings code of its own for its pipeline"),
    ],
)
def test_what_names_nothing_is_refused(source: Source, name: str, content: Any, sentence: str) -> None:
    put(source, name, content)
    with pytest.raises(Refused, match=sentence):
        load.read_architectures(source)


def test_without_files_nothing_is_read(source: Source) -> None:
    with pytest.raises(Refused, match=r"config\.json cannot be read"):
        load.read_architectures(source)
    with pytest.raises(Refused, match="'mine' was not fetched"):
        load.read_architectures(Source("mine", "hub", None, "0"))


def test_a_missing_library_is_named_with_its_install_line() -> None:
    load.require_library("json", "never said")
    with pytest.raises(Refused, match=r"films need it, which is not installed: .*pip install no_such_library"):
        load.require_library("no_such_library", "films need it")


def test_a_folder_without_a_tokenizer_is_not_given_an_empty_one(source: Source) -> None:
    put(source, "config.json", {"model_type": "bert"})
    with pytest.raises(Refused, match=r"'mine' has no tokenizer that opens \(no tokenizer\.json\); save it into"):
        load.load_processor(source, "AutoTokenizer")
    with pytest.raises(Refused, match="'mine' has no image preprocessor that opens"):
        load.load_processor(source, "AutoImageProcessor")


def test_an_error_is_said_by_its_first_line_or_its_kind() -> None:
    assert load.first_line(ValueError("\n one\ntwo")) == "one"
    assert load.first_line(KeyError()) == "KeyError"
    assert len(load.first_line(ValueError("x" * 999))) == 200


def test_a_network_opens_frozen_and_in_evaluation_mode(tiny_bert: Path) -> None:
    bert = Source("b", "folder", tiny_bert, "0")
    module, missing = load.load_network(bert, "AutoModelForSequenceClassification", "cpu")
    assert missing == []
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())
    _, missing = load.load_network(bert, "AutoModelForMaskedLM", "cpu")
    assert any("predictions" in name for name in missing)

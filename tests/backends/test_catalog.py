from __future__ import annotations

import json

import pytest

from backends import catalog
from backends.errors import Refused


def folder(tmp_path, *names: str):
    made = tmp_path / "model"
    made.mkdir(exist_ok=True)
    for name in names:
        (made / name).write_text("{}")
    return made


def test_bundled_models_are_found_by_their_cards() -> None:
    names = [card["name"] for card in catalog.bundled()]
    assert names
    for name in names:
        source = catalog.resolve(name)
        assert source.kind == "bundled"
        assert source.path is not None
        assert source.path.is_dir()
        assert catalog.card(name)["name"] == name
    assert catalog.card("somebody/else") == {}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "no model named; give bundled/triage"),
        ("bundled/nothing", "no bundled model 'bundled/nothing'; there are: bundled/"),
        ("/no/such/folder", "does not exist; give the folder"),
        ("not a hub id!", "neither a folder here nor a hub id"),
        ("a/b/c", "neither a folder here nor a hub id"),
        ("<script>alert(1)</script>", "neither a folder"),
        ("a..b/c", "neither a folder"),
    ],
)
def test_names_that_mean_nothing_are_sentences(name, sentence) -> None:
    with pytest.raises(Refused, match=sentence):
        catalog.resolve(name)


def test_folders_are_checked_before_anything_is_opened(tmp_path) -> None:
    made = folder(tmp_path)
    with pytest.raises(Refused, match=r"has no config\.json"):
        catalog.resolve(str(made))
    folder(tmp_path, "config.json")
    with pytest.raises(Refused, match="it has no weights"):
        catalog.resolve(str(made))
    folder(tmp_path, "pytorch_model.bin")
    with pytest.raises(Refused, match=r"it has pytorch_model\.bin, a format that can run code"):
        catalog.resolve(str(made))
    folder(tmp_path, "model.safetensors")
    assert catalog.resolve(str(made)).kind == "folder"
    with pytest.raises(Refused, match="is a file, not a folder"):
        catalog.resolve(str(made / "config.json"))


def test_folders_outside_the_allowed_roots_are_refused(tmp_path, monkeypatch) -> None:
    made = folder(tmp_path, "config.json", "model.safetensors")
    monkeypatch.setenv("VITRINE_ROOTS", str(tmp_path / "elsewhere"))
    with pytest.raises(Refused, match="opened only below"):
        catalog.resolve(str(made))
    monkeypatch.setenv("VITRINE_ROOTS", str(tmp_path))
    assert catalog.resolve(str(made)).path == made


def test_the_revision_follows_the_files(tmp_path) -> None:
    made = folder(tmp_path, "config.json", "model.safetensors")
    before = catalog.resolve(str(made)).revision
    assert catalog.resolve(str(made)).revision == before
    (made / "config.json").write_text(json.dumps({"changed": True}))
    assert catalog.resolve(str(made)).revision != before


def test_a_hub_that_cannot_be_reached_is_a_sentence(monkeypatch) -> None:
    import huggingface_hub

    def unreachable(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(Refused, match="'gpt2' is not on this machine and the hub cannot be reached"):
        catalog.fetch(catalog.resolve("gpt2"))


def test_a_hub_id_that_does_not_exist_is_a_sentence(monkeypatch) -> None:
    import httpx2 as httpx
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    def missing(*args, **kwargs):
        answer = httpx.Response(404, request=httpx.Request("GET", "http://localhost"))
        raise RepositoryNotFoundError("404", response=answer)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", missing)
    with pytest.raises(Refused, match="the hub has no public model 'nobody/nothing'"):
        catalog.fetch(catalog.resolve("nobody/nothing"))

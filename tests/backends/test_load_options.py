from __future__ import annotations

import pytest

import backends
from backends import catalog, load_options, running
from backends.errors import Refused
from backends.models import load


def test_settings_stand_after_the_name_in_their_own_order() -> None:
    bare, found = load_options.split("gpt2?device=cuda:1&dtype=bfloat16")
    assert bare == "gpt2"
    assert found == load_options.Settings("bfloat16", "cuda:1")
    assert found.suffix == "?dtype=bfloat16&device=cuda:1"
    assert load_options.split("gpt2") == ("gpt2", load_options.DEFAULT)
    assert load_options.split("gpt2?dtype=float32")[1].suffix == ""
    assert load_options.split("/a folder/what?") == ("/a folder/what?", load_options.DEFAULT)
    assert load_options.Settings(load="8bit").width == 1
    assert load_options.Settings("float16").width == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gpt2?colour=red", "no setting 'colour' of a model; there are: dtype, device, load"),
        ("gpt2?dtype=int4", "no dtype 'int4'; there are: float32, bfloat16, float16"),
        ("gpt2?device=tpu", "no device 'tpu'; there are: cpu, cuda"),
        ("gpt2?device=cuda:1x", "no device 'cuda:1x'"),
        ("gpt2?load=2bit", "no way '2bit' to load a model; there is: 8bit"),
    ],
)
def test_settings_that_mean_nothing_are_sentences(name, sentence) -> None:
    with pytest.raises(Refused, match=sentence):
        catalog.resolve(name)


def test_the_source_carries_its_settings_in_name_and_revision() -> None:
    plain, source = catalog.resolve("bundled/triage"), catalog.resolve("bundled/triage?device=cpu&dtype=bfloat16")
    assert source.name == "bundled/triage?dtype=bfloat16&device=cpu"
    assert source.bare == plain.name
    assert source.path == plain.path == catalog.shipped(source.name)
    assert source.revision.startswith(plain.revision)
    assert source.revision != plain.revision
    assert catalog.card(source.name) == catalog.card(plain.name) != {}
    assert catalog.resolve("bundled/triage?dtype=float32").name == "bundled/triage"


def test_a_hub_id_is_fetched_without_its_settings(monkeypatch, tmp_path) -> None:
    import huggingface_hub

    asked = []

    def unreachable(*args, **kwargs):
        asked.append(args[-1])
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(Refused, match="'org/nothing' is not on this machine"):
        catalog.fetch(catalog.resolve("org/nothing?dtype=bfloat16"))
    assert asked == ["org/nothing", "org/nothing"]


def test_a_device_that_is_not_there_is_a_sentence(tiny_gpt2, monkeypatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(Refused, match="there is no device 'cuda:1' on this machine; there are: cpu"):
        backends.open_model(f"{tiny_gpt2}?device=cuda:1")
    monkeypatch.setenv("VITRINE_DEVICE", "cpu")
    assert running.device() == "cpu"
    monkeypatch.setenv("VITRINE_DEVICE", "toaster")
    with pytest.raises(Refused, match="no device 'toaster'"):
        running.device()


def test_missing_libraries_are_named_with_their_install_line(monkeypatch) -> None:
    monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"over several GPUs with accelerate, which is not installed: .*pip install acc"):
        load._choose_placement(load_options.Settings(device="auto"), "auto")
    monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: name != "bitsandbytes" or None)
    with pytest.raises(Refused, match=r"8 bits with bitsandbytes, which is not installed: .*pip install bitsandbytes"):
        load._choose_placement(load_options.Settings(load="8bit"), "cpu")


def test_settings_become_what_from_pretrained_is_told(monkeypatch) -> None:
    import torch

    monkeypatch.setattr(load, "require_library", lambda library, why: None)
    assert load._choose_placement(load_options.Settings("bfloat16"), "cpu") == {"dtype": torch.bfloat16}
    spread = load._choose_placement(load_options.Settings("float16", "auto"), "auto")
    assert spread == {"dtype": torch.float16, "device_map": "auto"}
    quantized = load._choose_placement(load_options.Settings(load="8bit"), "cuda:1")
    assert quantized["device_map"] == {"": "cuda:1"}
    assert quantized["quantization_config"].load_in_8bit


def test_inputs_of_a_spread_network_go_where_its_embedding_is(tiny_gpt2) -> None:
    import torch

    class Spread(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.wte = torch.nn.Linear(2, 2), torch.nn.Embedding(2, 2, device="meta")

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.wte

    assert load.find_home(Spread(), "auto") == "meta"
    assert load.find_home(Spread(), "cuda:1") == "cuda:1"
    assert load.find_home(torch.nn.Linear(2, 2), "auto") == "cpu"


def test_states_of_a_spread_network_come_together_on_one_device() -> None:
    import torch

    from backends.hooks.recording import Recording
    from backends.hooks.sites import Sites

    recording = Recording(sites=Sites(), residual=True)
    recording._residual.update({1: torch.zeros(1, 2, 3), 0: torch.zeros(1, 2, 3, device="meta")})
    assert [state.device.type for state in recording.residual] == ["meta", "meta"]

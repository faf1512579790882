"""Tiny seeded networks, saved as folders that open like anybody's model.

Biases and norm weights are random too: with zeros and ones many wrong formulas look right.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

VOCABULARY = "the doctor saw patient and chart no fever but severe chest pain mary john gave drink to store a . ,"
WORDS = VOCABULARY.split()
TEXT = "no fever but severe chest pain ."
TEXTS = ("tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm")
IMAGES = ("tiny_resnet", "tiny_vit")


def pytest_configure() -> None:
    """Heed Ctrl-C, also in the programs that tests start: what a shell runs in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def tokenizer(framed: bool) -> Any:
    """A word tokenizer; `framed` puts [CLS] and [SEP] around each text, as BERT has them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ids = {word: i for i, word in enumerate(special + WORDS)}
    made = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    if framed:
        names |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
        pairs = [("[CLS]", 2), ("[SEP]", 3)]
        made.add_special_tokens(list(names.values()))
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=48, **names)


def save(folder: Path, build: Callable[[Any], Any], config: Any, preparation: Any) -> Path:
    """A network of `config` with seeded random weights, saved in `folder` beside its preparation."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = build(config)
        for parameter in module.parameters():  # convolutions are well drawn already: more would blow them up
            parameter.data += 0.15 * torch.randn_like(parameter) * (parameter.ndim != 4)
        for name, buffer in module.named_buffers():  # batch norm has seen something
            if name.endswith("running_var"):
                buffer.data = 0.5 + torch.rand_like(buffer)
    module.eval().save_pretrained(folder)
    preparation.save_pretrained(folder)
    return folder


def made(name: str, folder: Path) -> Path:
    """The tiny model `name` in `folder`."""
    import transformers as t

    size, classes = len(WORDS) + 5, {0: "routine", 1: "soon", 2: "urgent"}
    narrow = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24, "initializer_range": 0.3}
    bert = {**narrow, "vocab_size": size, "num_attention_heads": 2, "max_position_embeddings": 48}
    llama = {**bert, "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0, "eos_token_id": 0}
    image = {"num_channels": 3, "id2label": {0: "clear", 1: "lesion"}, "label2id": {"clear": 0, "lesion": 1}}
    pixels = t.ViTImageProcessorPil(size={"height": 32, "width": 32})
    build: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
        "tiny_gpt2": lambda: (
            t.GPT2LMHeadModel,
            t.GPT2Config(
                vocab_size=size, n_positions=48, n_embd=16, n_layer=3, n_head=2, initializer_range=0.3,
                bos_token_id=0, eos_token_id=0,
            ),
            tokenizer(framed=False),
        ),
        "tiny_llama": lambda: (
            t.LlamaForCausalLM,
            t.LlamaConfig(**llama),
            tokenizer(framed=False),
        ),
        "tiny_bert": lambda: (
            t.BertForSequenceClassification,
            t.BertConfig(**bert, id2label=classes, label2id={v: k for k, v in classes.items()}),
            tokenizer(framed=True),
        ),
        "tiny_bert_mlm": lambda: (t.BertForMaskedLM, t.BertConfig(**bert), tokenizer(framed=True)),
        "tiny_vit": lambda: (
            t.ViTForImageClassification,
            t.ViTConfig(**narrow, num_attention_heads=2, image_size=32, patch_size=8, **image),
            pixels,
        ),
        "tiny_resnet": lambda: (
            t.ResNetForImageClassification,
            t.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic",
                downsample_in_first_stage=False, **image,
            ),
            pixels,
        ),
    }  # fmt: skip
    return save(folder, *build[name]())


def _folder_fixture(name: str) -> Any:
    @pytest.fixture(scope="session", name=name)
    def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return made(name, tmp_path_factory.mktemp("models") / name)

    return folder


tiny_gpt2, tiny_llama, tiny_bert, tiny_bert_mlm, tiny_vit, tiny_resnet = map(
    _folder_fixture, ("tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm", "tiny_vit", "tiny_resnet")
)


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that VITRINE_PLUGINS names; what is written there is found, and forgotten at the end."""
    from backends import plugins, registry
    from viz import figures

    def forget() -> None:
        plugins.forget()
        registry.entries.cache_clear()
        figures.builders.cache_clear()

    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv(plugins.SETTING, str(folder))
    forget()
    yield folder
    forget()


@pytest.fixture(scope="session")
def fresh(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Opens a tiny model by its fixture's name, new each time."""
    import backends

    return lambda name: backends.open_model(str(request.getfixturevalue(name)))


@pytest.fixture(scope="session")
def opened(fresh: Callable[[str], Any]) -> Callable[[str], Any]:
    """Opens a tiny model by its fixture's name, the same one for the whole session: leave it as it is."""
    there: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in there:
            there[name] = fresh(name)
        return there[name]

    return get


@pytest.fixture(scope="session")
def picture() -> Any:
    """A grey picture (32, 32, 3) uint8 with a bright square."""
    import numpy as np

    noise = np.random.default_rng(3).integers(40, 110, (32, 32, 3), np.uint8)
    noise[6:14, 18:26] += 120
    return noise


def raw_for(name: str, picture: Any) -> dict[str, Any]:
    """An input that the tiny model `name` reads."""
    if name in IMAGES:
        return {"image": picture}
    return {"text": TEXT.replace("severe", "[MASK]") if name == "tiny_bert_mlm" else TEXT}


def other_for(name: str, picture: Any) -> dict[str, Any]:
    """An input of as many tokens that differs from `raw_for` in one word, or in the lower half of the picture."""
    import numpy as np

    raw = raw_for(name, picture)
    if name in IMAGES:
        noise = np.random.default_rng(4).integers(0, 255, picture.shape, np.uint8)
        return {"image": np.where(np.arange(32)[:, None, None] < 16, picture, noise)}
    return {"text": raw["text"].replace("fever", "chart")}

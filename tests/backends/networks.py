"""Tiny seeded networks of many families, straight from their configs, for recording and probe."""

from __future__ import annotations

import copy
from typing import Any

import torch
import transformers as t

from backends.hooks import probe
from backends.hooks.main_tensor import main_tensor
from backends.hooks.sites import Sites

SMALL = {
    "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 24, "vocab_size": 40,
    "max_position_embeddings": 32,
}  # fmt: skip
PATCHES = {k: v for k, v in SMALL.items() if k not in ("vocab_size", "max_position_embeddings")}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GEMMA = {**GROUPED, "head_dim": 8, "sliding_window": 4}
BART = {
    "d_model": 16, "vocab_size": 40, "max_position_embeddings": 32, "eos_token_id": 5, **{
        f"{part}_{name}": n for part in ("encoder", "decoder")
        for name, n in {"layers": 3, "attention_heads": 4, "ffn_dim": 24}.items()
    },
}  # fmt: skip
IDS = torch.tensor([[3, 7, 9, 3, 7, 12, 5]])
TEXT = {"input_ids": IDS}
IMAGE = {"pixel_values": torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))}
FAMILIES: dict[str, tuple[Any, Any, dict]] = {
    "gpt2": (t.GPT2LMHeadModel, t.GPT2Config(n_embd=16, n_head=4, n_layer=3, vocab_size=40, n_positions=32), TEXT),
    "llama": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED), TEXT),
    "bert": (t.BertForSequenceClassification, t.BertConfig(**SMALL), TEXT),
    "bert_mlm": (t.BertForMaskedLM, t.BertConfig(**SMALL), TEXT),
    "vit": (t.ViTForImageClassification, t.ViTConfig(**PATCHES, image_size=32, patch_size=8), IMAGE),
    "distilbert": (
        t.DistilBertForSequenceClassification,
        t.DistilBertConfig(dim=16, n_heads=4, n_layers=3, hidden_dim=24, vocab_size=40),
        TEXT,
    ),
    "albert": (t.AlbertForSequenceClassification, t.AlbertConfig(**SMALL, embedding_size=8), TEXT),
    "modernbert": (
        t.ModernBertForSequenceClassification,
        t.ModernBertConfig(**SMALL, local_attention=4, global_attn_every_n_layers=2, pad_token_id=0),
        TEXT,
    ),
    "gpt_neox": (t.GPTNeoXForCausalLM, t.GPTNeoXConfig(**SMALL), TEXT),
    "opt": (
        t.OPTForCausalLM,
        t.OPTConfig(
            hidden_size=16, ffn_dim=24, num_attention_heads=4, num_hidden_layers=3, vocab_size=40,
            max_position_embeddings=32, word_embed_proj_dim=16,
        ),
        TEXT,
    ),
    "gemma": (t.GemmaForCausalLM, t.GemmaConfig(**GROUPED, head_dim=8), TEXT),
    "gemma2": (t.Gemma2ForCausalLM, t.Gemma2Config(**GEMMA), TEXT),
    "gpt_oss": (t.GptOssForCausalLM, t.GptOssConfig(**GEMMA, num_local_experts=2, num_experts_per_tok=1), TEXT),
    "t5_encoder": (
        t.T5EncoderModel, t.T5Config(d_model=16, d_kv=4, num_heads=4, num_layers=3, d_ff=24, vocab_size=40), TEXT
    ),
    "bart": (t.BartForSequenceClassification, t.BartConfig(**BART), TEXT),
    "dinov2": (
        t.Dinov2ForImageClassification,
        t.Dinov2Config(hidden_size=16, num_attention_heads=4, num_hidden_layers=3, image_size=32, patch_size=8),
        IMAGE,
    ),
    "granite": (t.GraniteForCausalLM, t.GraniteConfig(**GROUPED, residual_multiplier=0.5, logits_scaling=2.0), TEXT),
    "deberta": (t.DebertaV2ForSequenceClassification, t.DebertaV2Config(**SMALL, relative_attention=True), TEXT),
    "falcon": (
        t.FalconForCausalLM,
        t.FalconConfig(hidden_size=16, num_attention_heads=4, num_hidden_layers=3, vocab_size=40),
        TEXT,
    ),
    "bloom": (t.BloomForCausalLM, t.BloomConfig(hidden_size=16, n_head=4, n_layer=3, vocab_size=40), TEXT),
    "gptj": (
        t.GPTJForCausalLM,
        t.GPTJConfig(n_embd=16, n_head=4, n_layer=3, vocab_size=40, n_positions=32, rotary_dim=2),
        TEXT,
    ),
}  # fmt: skip
NOT_ADDING = {"bert", "bert_mlm", "distilbert", "albert", "bart", "granite", "deberta"}
OWN_ATTENTION = {"deberta", "falcon", "bloom", "gptj"}


def network(name: str, attention: str | None = None) -> tuple[Any, dict]:
    """A seeded network with random biases and norms, else half of the formulas could be wrong unseen."""
    build, config, inputs = FAMILIES[name]
    torch.manual_seed(0)
    module = build._from_config(copy.deepcopy(config), **({"attn_implementation": attention} if attention else {}))
    noise = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        size = 0.3 if parameter.ndim == 1 else 0.1
        parameter.data += size * torch.randn(parameter.shape, generator=noise)
    return module.eval().requires_grad_(False), inputs


@torch.no_grad()
def forward(module: Any, inputs: dict) -> torch.Tensor:
    return main_tensor(module(**inputs, **({"use_cache": False} if hasattr(module.config, "use_cache") else {})))


def ready(name: str) -> tuple[Any, dict, Sites]:
    module, inputs = network(name)
    return module, inputs, probe.locate(module, lambda: forward(module, inputs))


def eager_patterns(name: str) -> tuple[torch.Tensor, ...]:
    module, inputs = network(name, "eager")
    with torch.no_grad():
        out = module(**inputs, output_attentions=True)
    return out["encoder_attentions"] if "encoder_attentions" in out else out["attentions"]

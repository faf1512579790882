"""Tiny networks of the families people come with, random and seeded, saved as folders that open like a stranger's.

Biases and norm weights are random too (see `tests.conftest.save`): with zeros and ones many wrong formulas look right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import WORDS, save, tokenizer

VOCABULARY = len(WORDS) + 5
PAD, UNKNOWN, START, END = 0, 1, 2, 3
CLASSES = {"id2label": {0: "routine", 1: "soon", 2: "urgent"}, "label2id": {"routine": 0, "soon": 1, "urgent": 2}}
SIDE = {"image_size": 32, "patch_size": 8}
NARROW = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 24,
    "initializer_range": 0.3,
}  # fmt: skip
TEXT = {
    **NARROW, "vocab_size": VOCABULARY, "max_position_embeddings": 48, "pad_token_id": PAD, "bos_token_id": START,
    "eos_token_id": END,
}  # fmt: skip
GROUPED = {**TEXT, "num_key_value_heads": 2, "head_dim": 8}
SLIDING = {**GROUPED, "sliding_window": 4}
TOWER = {**NARROW, "projection_dim": 12}
BART = {
    "d_model": 16, "vocab_size": VOCABULARY, "max_position_embeddings": 48, "pad_token_id": PAD, "bos_token_id": START,
    "eos_token_id": END, "decoder_start_token_id": START, "forced_eos_token_id": None, "init_std": 0.3,
    **{f"{side}_{name}": n for side in ("encoder", "decoder")
       for name, n in {"layers": 3, "attention_heads": 4, "ffn_dim": 24}.items()},
}  # fmt: skip
T5 = {
    "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 3, "num_heads": 4, "vocab_size": VOCABULARY,
    "decoder_start_token_id": PAD, "pad_token_id": PAD, "eos_token_id": END,
}  # fmt: skip

MAKERS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "GPT-2": lambda t: (
        t.GPT2LMHeadModel,
        t.GPT2Config(
            vocab_size=VOCABULARY, n_positions=48, n_embd=16, n_layer=3, n_head=4, initializer_range=0.3,
            bos_token_id=START, eos_token_id=END,
        ),
    ),
    "Llama": lambda t: (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED, attention_bias=True, mlp_bias=True)),
    "Qwen2": lambda t: (t.Qwen2ForCausalLM, t.Qwen2Config(**SLIDING, use_sliding_window=True, max_window_layers=2)),
    "Qwen3": lambda t: (t.Qwen3ForCausalLM, t.Qwen3Config(**GROUPED, attention_bias=True)),
    "Gemma 2": lambda t: (t.Gemma2ForCausalLM, t.Gemma2Config(**SLIDING, query_pre_attn_scalar=8)),
    "Gemma 3": lambda t: (t.Gemma3ForCausalLM, t.Gemma3TextConfig(**SLIDING, query_pre_attn_scalar=8)),
    "Mistral": lambda t: (t.MistralForCausalLM, t.MistralConfig(**SLIDING)),
    "Mixtral": lambda t: (
        t.MixtralForCausalLM, t.MixtralConfig(**SLIDING, num_local_experts=3, num_experts_per_tok=2)
    ),
    "Mixtral, every expert": lambda t: (
        t.MixtralForCausalLM, t.MixtralConfig(**SLIDING, num_local_experts=3, num_experts_per_tok=3)
    ),
    "Phi-3": lambda t: (t.Phi3ForCausalLM, t.Phi3Config(**{**TEXT, "num_key_value_heads": 2}, sliding_window=4)),
    "GPT-NeoX": lambda t: (t.GPTNeoXForCausalLM, t.GPTNeoXConfig(**TEXT)),
    "OPT": lambda t: (
        t.OPTForCausalLM,
        t.OPTConfig(
            vocab_size=VOCABULARY, hidden_size=16, ffn_dim=24, num_attention_heads=4, num_hidden_layers=3,
            max_position_embeddings=48, word_embed_proj_dim=16, pad_token_id=PAD, bos_token_id=START, eos_token_id=END,
            init_std=0.3,
        ),
    ),
    "gpt-oss": lambda t: (t.GptOssForCausalLM, t.GptOssConfig(**SLIDING, num_local_experts=3, num_experts_per_tok=2)),
    "GPT-J": lambda t: (
        t.GPTJForCausalLM,
        t.GPTJConfig(
            vocab_size=VOCABULARY, n_embd=16, n_head=4, n_layer=3, n_positions=48, rotary_dim=2, initializer_range=0.3,
            bos_token_id=START, eos_token_id=END,
        ),
    ),
    "Bloom": lambda t: (
        t.BloomForCausalLM,
        t.BloomConfig(
            vocab_size=VOCABULARY, hidden_size=16, n_head=4, n_layer=3, initializer_range=0.3, pad_token_id=PAD,
            bos_token_id=START, eos_token_id=END,
        ),
    ),
    "BERT": lambda t: (t.BertForSequenceClassification, t.BertConfig(**TEXT, **CLASSES)),
    "BERT, masked words": lambda t: (t.BertForMaskedLM, t.BertConfig(**TEXT)),
    "RoBERTa": lambda t: (t.RobertaForSequenceClassification, t.RobertaConfig(**TEXT, type_vocab_size=1, **CLASSES)),
    "DistilBERT": lambda t: (
        t.DistilBertForSequenceClassification,
        t.DistilBertConfig(
            vocab_size=VOCABULARY, dim=16, n_heads=4, n_layers=3, hidden_dim=24, max_position_embeddings=48,
            initializer_range=0.3, **CLASSES,
        ),
    ),
    "ModernBERT": lambda t: (
        t.ModernBertForSequenceClassification,
        t.ModernBertConfig(
            **TEXT, local_attention=4, global_attn_every_n_layers=2, cls_token_id=START, sep_token_id=END, **CLASSES
        ),
    ),
    "DeBERTa-v2": lambda t: (
        t.DebertaV2ForSequenceClassification,
        t.DebertaV2Config(**TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"], **CLASSES),
    ),
    "T5": lambda t: (t.T5ForConditionalGeneration, t.T5Config(**T5)),
    "BART": lambda t: (t.BartForConditionalGeneration, t.BartConfig(**BART)),
    "ViT": lambda t: (t.ViTForImageClassification, t.ViTConfig(**NARROW, **SIDE, **CLASSES)),
    "DINOv2": lambda t: (t.Dinov2Model, t.Dinov2Config(**NARROW, **SIDE)),
    "SigLIP": lambda t: (
        t.SiglipModel,
        t.SiglipConfig(
            text_config={**TEXT, "max_position_embeddings": 16, "projection_size": 16}, vision_config={**NARROW, **SIDE}
        ),
    ),
    "CLIP": lambda t: (
        t.CLIPModel,
        t.CLIPConfig(
            text_config={**TEXT, "max_position_embeddings": 16}, vision_config={**NARROW, **SIDE}, projection_dim=12
        ),
    ),
    "CLIP, picture tower": lambda t: (t.CLIPVisionModel, t.CLIPVisionConfig(**TOWER, **SIDE)),
    "CLIP, text tower": lambda t: (t.CLIPTextModel, t.CLIPTextConfig(**TEXT)),
    "Swin": lambda t: (
        t.SwinForImageClassification,
        t.SwinConfig(
            image_size=32, patch_size=4, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4, **CLASSES
        ),
    ),
    "ResNet": lambda t: (
        t.ResNetForImageClassification,
        t.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic",
            downsample_in_first_stage=False, **CLASSES,
        ),
    ),
    "ConvNeXt": lambda t: (
        t.ConvNextForImageClassification,
        t.ConvNextConfig(image_size=32, hidden_sizes=[8, 12, 16], depths=[1, 1, 1], num_stages=3, **CLASSES),
    ),
}  # fmt: skip
FRAMED = {"BERT", "BERT, masked words", "RoBERTa", "DistilBERT", "ModernBERT", "DeBERTa-v2", "T5", "BART"}
"""Families whose texts begin and end with special tokens."""
PICTURES = {"ViT", "DINOv2", "CLIP, picture tower", "Swin", "ResNet", "ConvNeXt"}
BOTH = {"CLIP", "SigLIP"}


def make(name: str, folder: Path) -> Path:
    """The tiny network of family `name`, saved in `folder` with its tokenizer or preprocessor."""
    import transformers

    build, config = MAKERS[name](transformers)
    pixels = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    words = tokenizer(framed=name in FRAMED or name.startswith("CLIP") or name == "SigLIP")
    save(folder, build, config, pixels if name in PICTURES else words)
    if name in BOTH:
        pixels.save_pretrained(folder)
    return folder


def raw(name: str) -> dict[str, Any]:
    """An input of seven words, a picture, or both."""
    import numpy as np

    picture = np.random.default_rng(3).integers(40, 110, (32, 32, 3), np.uint8)
    picture[6:14, 18:26] += 120
    text = "no fever but severe chest pain ."
    if name in PICTURES:
        return {"image": picture}
    if name in BOTH:
        return {"image": picture, "text": "chest pain\nno fever and no severe pain"}
    if name in ("T5", "BART"):
        return {"text": text, "output": "the patient gave"}
    return {"text": text.replace("severe", "[MASK]") if "masked" in name else text}

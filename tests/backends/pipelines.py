"""Tiny seeded diffusion pipelines of every shape that Vitrine knows, straight from their configs."""

from __future__ import annotations

import string
from typing import Any

import diffusers as d
import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers, processors

PROMPT = "a zebra and a zebra, red"


def clip_tokenizer(longest: int = 32) -> t.CLIPTokenizer:
    """Letters are tokens, and `red` is one: most words have several tokens."""
    marks = [*string.ascii_lowercase, *string.digits, *",.-'"]
    names = [*marks, *(f"{mark}</w>" for mark in marks), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: index for index, name in enumerate(names)}
    return t.CLIPTokenizer(vocab=vocabulary, merges=[("r", "e"), ("re", "d</w>")], model_max_length=longest)


def t5_tokenizer() -> t.PreTrainedTokenizerFast:
    """Letters again, with spaces as T5 writes them and an end token only."""
    names = ["<pad>", "</s>", "<unk>", "▁", *string.ascii_lowercase, *",.-'"]
    tokenizer = Tokenizer(models.BPE({name: index for index, name in enumerate(names)}, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return t.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=40, **roles)


def clip_text(tokenizer: t.CLIPTokenizer, width: int = 16, projected: bool = False) -> Any:
    """A text encoder of two layers."""
    config = t.CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length, projection_dim=width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return (t.CLIPTextModelWithProjection if projected else t.CLIPTextModel)(config)


def t5_text(tokenizer: Any, width: int = 16) -> t.T5EncoderModel:
    """A T5 encoder of one layer."""
    sizes = {"d_model": width, "d_kv": 8, "num_heads": 2, "num_layers": 1, "d_ff": 24}
    return t.T5EncoderModel(t.T5Config(**sizes, vocab_size=len(tokenizer)))


def vae(channels: int = 4, **more: Any) -> d.AutoencoderKL:
    """Pictures of 8 times the latents' size."""
    return d.AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), down_block_types=("DownEncoderBlock2D",) * 4, latent_channels=channels,
        up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=2, sample_size=64, mid_block_add_attention=False,
        **more,
    )  # fmt: skip


def unet(cross: int, **more: Any) -> d.UNet2DConditionModel:
    """Two resolutions with 2 and 4 heads."""
    given = {"attention_head_dim": (2, 4), "down_block_types": ("CrossAttnDownBlock2D",) * 2}
    given |= {"up_block_types": ("CrossAttnUpBlock2D",) * 2}
    return d.UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, cross_attention_dim=cross,
        **(given | more),
    )  # fmt: skip


def ddim() -> d.DDIMScheduler:
    """The scheduler of the Stable Diffusion shapes."""
    noise = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    return d.DDIMScheduler(**noise, clip_sample=False, steps_offset=1)


def sd(seed: int = 0, longest: int = 32, **network: Any) -> d.StableDiffusionPipeline:
    """Stable Diffusion 1 and 2."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer(longest)
    return d.StableDiffusionPipeline(
        vae=vae(), text_encoder=clip_text(tokenizer), tokenizer=tokenizer, unet=unet(16, **network), scheduler=ddim(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def xl(seed: int = 0) -> d.StableDiffusionXLPipeline:
    """Stable Diffusion XL: two text encoders side by side."""
    torch.manual_seed(seed)
    one, two = clip_tokenizer(), clip_tokenizer()
    network = unet(
        32, addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=64,
        transformer_layers_per_block=(1, 2), use_linear_projection=True,
    )  # fmt: skip
    return d.StableDiffusionXLPipeline(
        vae=vae(), text_encoder=clip_text(one), text_encoder_2=clip_text(two, projected=True), tokenizer=one,
        tokenizer_2=two, unet=network, scheduler=ddim(), add_watermarker=False,
    )  # fmt: skip


def sd3(seed: int = 0) -> d.StableDiffusion3Pipeline:
    """Stable Diffusion 3: text after the picture in one sequence, CLIP's tokens before T5's."""
    torch.manual_seed(seed)
    one, three = clip_tokenizer(), t5_tokenizer()
    network = d.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32, out_channels=4,
        pos_embed_max_size=16, qk_norm="rms_norm",
    )  # fmt: skip
    return d.StableDiffusion3Pipeline(
        transformer=network, scheduler=d.FlowMatchEulerDiscreteScheduler(), vae=vae(shift_factor=0.1),
        text_encoder=clip_text(one, projected=True), tokenizer=one, text_encoder_2=clip_text(one, projected=True),
        tokenizer_2=one, text_encoder_3=t5_text(three, 32), tokenizer_3=three,
    )  # fmt: skip


def flux(seed: int = 0) -> d.FluxPipeline:
    """FLUX: text before the picture in one sequence, rotary positions, joint and single blocks."""
    torch.manual_seed(seed)
    one, two = clip_tokenizer(), t5_tokenizer()
    network = d.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    return d.FluxPipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(), vae=vae(shift_factor=0.1), text_encoder=clip_text(one),
        tokenizer=one, text_encoder_2=t5_text(two, 32), tokenizer_2=two, transformer=network,
    )  # fmt: skip


SHAPES = {"sd": sd, "xl": xl, "sd3": sd3, "flux": flux}

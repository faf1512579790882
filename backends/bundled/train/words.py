"""What the two text models share: word-level tokenizers and how their positions start."""

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast


def word_tokenizer(
    words: list[str], longest: int, frame: tuple[str, str] | None = None, lower: bool = False, **roles: str
) -> PreTrainedTokenizerFast:
    """Build a tokenizer with one token a word or punctuation mark, spans included.

    `frame` names the tokens put before and after each text; `lower` ignores case. `roles` maps
    transformers' special tokens (`unk_token`, `pad_token`, …) to words of the vocabulary.
    """
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=roles["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_special_tokens(list(dict.fromkeys(roles.values())))
    if frame:
        first, last = frame
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:1 {last}:1",
            special_tokens=[(token, vocabulary[token]) for token in frame],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=longest, clean_up_tokenization_spaces=True, **roles
    )


def sinusoids(positions: int, width: int, scale: float = 0.1) -> torch.Tensor:
    """Position embeddings (position, width) to start from, so that "the word before" is easy to learn."""
    frequency = 10 ** (-torch.arange(0, width, 2) * (2.5 / width))
    angle = torch.arange(positions)[:, None] * frequency
    return scale * torch.cat([angle.sin(), angle.cos()], dim=1)

"""The one place that calls from_pretrained: offline, safetensors only, never anybody's code."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import Refused

if TYPE_CHECKING:
    from torch import nn

    from backends.catalog import Source

SAFE = {"local_files_only": True, "trust_remote_code": False}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
log = logging.getLogger("vitrine")


def architectures(source: Source) -> tuple[str, ...]:
    """The architectures that the folder's config names. Raises `Refused` when there is no readable config."""
    try:
        config = json.loads((_files(source) / "config.json").read_text())
        named = config.get("architectures") or ()
        return tuple(str(a) for a in named) or _base_architecture(config.get("model_type"))
    except (OSError, ValueError, AttributeError):
        raise Refused(f"{source.name!r}: config.json cannot be read as a transformers config") from None


def _files(source: Source) -> Path:
    """The folder of a source whose files are here."""
    if source.path is None:
        raise Refused(f"{source.name!r} was not fetched")
    return source.path


def _base_architecture(model_type: Any) -> tuple[str, ...]:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = MODEL_MAPPING_NAMES.get(model_type, ())
    return (name,) if isinstance(name, str) else tuple(name)


def network(source: Source, auto: str, device: str) -> tuple[nn.Module, list[str]]:
    """The network in evaluation mode with frozen fp32 weights, and the names of weights that the files lack."""
    import torch

    transformers = _quiet_transformers()
    try:
        module, report = getattr(transformers, auto).from_pretrained(
            source.path, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **SAFE
        )
    except Exception as error:  # damaged files raise many kinds
        log.warning("opening %s failed", source.name, exc_info=True)
        raise Refused(f"{source.name!r} cannot be opened as {auto}: {first_line(error)}") from None
    module.eval().requires_grad_(False)
    return module.to(device), sorted(report["missing_keys"])


def processor(source: Source, auto: str) -> Any:
    """The tokenizer or image processor of the folder. Raises `Refused` when it has none that opens."""
    transformers = _quiet_transformers()
    try:
        if "Tokenizer" in auto and not any((_files(source) / name).is_file() for name in TOKENIZERS):
            raise FileNotFoundError("no tokenizer.json")  # transformers would make an empty one up
        return getattr(transformers, auto).from_pretrained(source.path, **SAFE)
    except Exception as error:
        log.warning("opening the %s of %s failed", auto, source.name, exc_info=True)
        what = "tokenizer" if "Tokenizer" in auto else "image preprocessor"
        raise Refused(
            f"{source.name!r} has no {what} that opens ({first_line(error)}); save it into the same folder"
        ) from None


def _quiet_transformers() -> Any:
    """transformers without its progress bars and advice: the log is the server's."""
    import transformers
    from transformers.utils import logging as talk

    talk.set_verbosity_error()
    talk.disable_progress_bar()
    return transformers


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

"""The one place that calls from_pretrained: offline, safetensors only, never anybody's code."""

from __future__ import annotations

import importlib.util
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.models.batching import is_out_of_memory

if TYPE_CHECKING:
    from torch import nn

    from backends.catalog import Source
    from backends.load_options import Settings

SAFE = {"local_files_only": True, "trust_remote_code": False}
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
PIPELINE = "model_index.json"
"""The file that names the parts of a diffusers pipeline, where a transformers model has its config.json."""
log = logging.getLogger("vitrine")


def read_architectures(source: Source) -> tuple[str, ...]:
    """The architectures that the folder's config names. Raises `Refused` when there is no readable config."""
    if (_find_files(source) / PIPELINE).is_file():
        return (_find_pipeline_class(source),)
    try:
        config = json.loads((_find_files(source) / "config.json").read_text())
        named = config.get("architectures") or ()
        return tuple(str(a) for a in named) or _find_base_architecture(config.get("model_type"))
    except (OSError, ValueError, AttributeError):
        raise Refused(f"{source.name!r}: config.json cannot be read as a transformers config") from None


def _find_pipeline_class(source: Source) -> str:
    """The class that a pipeline's folder names. Raises `Refused` when there is none, or it is somebody's own code."""
    try:
        named = json.loads((_find_files(source) / PIPELINE).read_text())["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"{source.name!r}: {PIPELINE} cannot be read as a diffusers pipeline") from None
    if not isinstance(named, str):
        raise Refused(f"{source.name!r} brings code of its own for its pipeline, which Vitrine does not run")
    return named


def load_pipeline(source: Source, named: str, device: str) -> Any:
    """The diffusers pipeline of the folder. Raises `Refused`."""
    import torch

    require_library("diffusers", "pictures are drawn with diffusers")
    _quieten_transformers()
    import diffusers
    from diffusers.utils import logging as talk

    talk.set_verbosity_error()
    talk.disable_progress_bar()
    if source.settings.load or device == "auto":
        raise Refused(f"{source.name!r}: a pipeline opens on one device and not in 8 bits; try dtype=float16")
    kind = getattr(diffusers, named, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.DiffusionPipeline)):
        raise Refused(f"{source.name!r} is a {named}, a pipeline that this diffusers {diffusers.__version__} has not")
    try:
        dtype = getattr(torch, source.settings.dtype)
        made = kind.from_pretrained(source.path, use_safetensors=True, dtype=dtype, **SAFE)
        made = made.to(device)
    except Exception as error:  # damaged files raise many kinds
        if is_out_of_memory(error):
            raise
        log.warning("opening %s failed", source.name, exc_info=True)
        raise Refused(f"{source.name!r} cannot be opened as {named}: {first_line(error)}") from None
    return made


def _find_files(source: Source) -> Path:
    """The folder of a source whose files are here."""
    if source.path is None:
        raise Refused(f"{source.name!r} was not fetched")
    return source.path


def _find_base_architecture(model_type: Any) -> tuple[str, ...]:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = MODEL_MAPPING_NAMES.get(model_type, ())
    return (name,) if isinstance(name, str) else tuple(name)


def load_network(source: Source, auto: str, device: str) -> tuple[nn.Module, list[str]]:
    """The network in evaluation mode with frozen weights, and the names of weights that the files lack.

    Its weights have the dtype of the source's settings; on the device `auto` it is spread over all GPUs.
    """
    transformers = _quieten_transformers()
    try:
        module, report = getattr(transformers, auto).from_pretrained(
            source.path,
            use_safetensors=True,
            output_loading_info=True,
            **_choose_placement(source.settings, device),
            **SAFE,
        )
    except Exception as error:  # damaged files raise many kinds
        if is_out_of_memory(error):
            raise
        log.warning("opening %s failed", source.name, exc_info=True)
        raise Refused(f"{source.name!r} cannot be opened as {auto}: {first_line(error)}") from None
    module.eval().requires_grad_(False)
    placed = bool(getattr(module, "hf_device_map", None))
    return module if placed else module.to(device), sorted(report["missing_keys"])


def _choose_placement(settings: Settings, device: str) -> dict[str, Any]:
    """What from_pretrained is told about dtype, place and 8 bits. Raises `Refused` where a library is missing."""
    import torch

    said: dict[str, Any] = {"dtype": getattr(torch, settings.dtype)}
    if device == "auto":
        require_library("accelerate", "device=auto spreads a model over several GPUs with accelerate")
        said["device_map"] = "auto"
    if settings.load == "8bit":
        require_library("accelerate", "load=8bit places weights with accelerate")
        require_library("bitsandbytes", "load=8bit keeps weights in 8 bits with bitsandbytes")
        from transformers import BitsAndBytesConfig

        said |= {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
        said.setdefault("device_map", {"": device})
    return said


def require_library(library: str, why: str) -> None:
    """Raise `Refused` with the install line where an optional library is missing."""
    if importlib.util.find_spec(library) is None:
        raise Refused(f"{why}, which is not installed: .venv/bin/python -m pip install {library}")


def find_home(module: nn.Module, device: str) -> str:
    """Where inputs go: `device`, or where the embedding is when the network is spread over several."""
    if device != "auto":
        return device
    try:
        first = module.get_input_embeddings()  # type: ignore[operator] # torch types every attribute as a tensor
    except (AttributeError, NotImplementedError):
        first = module
    return str(next((p for p in first.parameters()), next(module.parameters())).device)


def load_processor(source: Source, auto: str) -> Any:
    """The tokenizer or image processor of the folder. Raises `Refused` when it has none that opens."""
    transformers = _quieten_transformers()
    try:
        if "Tokenizer" in auto and not any((_find_files(source) / name).is_file() for name in TOKENIZERS):
            raise FileNotFoundError("no tokenizer.json")  # transformers would make an empty one up
        return getattr(transformers, auto).from_pretrained(source.path, **SAFE)
    except Exception as error:
        log.warning("opening the %s of %s failed", auto, source.name, exc_info=True)
        what = "tokenizer" if "Tokenizer" in auto else "image preprocessor"
        raise Refused(
            f"{source.name!r} has no {what} that opens ({first_line(error)}); save it into the same folder"
        ) from None


def _quieten_transformers() -> Any:
    """transformers without its progress bars and advice: the log is the server's."""
    import transformers
    from transformers.utils import logging as talk

    talk.set_verbosity_error()
    talk.disable_progress_bar()
    return transformers


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

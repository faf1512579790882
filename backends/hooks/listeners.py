"""Let listeners hear what the modules of a network do, and what its attention computes.

AttentionCall runs through functions of ours, registered in transformers' attention interface together
with the mask function they need. While nobody listens they call the original kernel, and the
forward hooks on blocks return at once, so that both may stay for good. Who listens is kept in a
ContextVar by the id of each submodule: threads that share one network never see each other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from backends.hooks.attention_call import AttentionCall
from backends.hooks.main_tensor import main_tensor, replace_main_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backends.hooks.sites import Sites

KERNELS = ("sdpa", "eager")
PREFIX = "vitrine_"


class Listener(Protocol):
    """Hears what the submodules that it listens to do."""

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """Called before the module's forward; may return other arguments."""

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """Called after the module's forward; may return another output."""

    def attend(self, attention: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Called in place of the attention kernel; returns heads (B, T, H, dh) and weights or None."""


_listeners: ContextVar[Mapping[int, Listener]] = ContextVar("listeners", default=MappingProxyType({}))


def _attend(
    kernel: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """Compute attention for transformers: by the listener of the module, or else by the kernel."""
    attention = AttentionCall(kernel, module, query, key, value, attention_mask, options)
    listener = _listeners.get().get(id(module))
    return attention.run_kernel() if listener is None else listener.attend(attention)


def _enter(module: nn.Module, args: tuple, kwargs: dict) -> Any:
    listener = _listeners.get().get(id(module))
    return listener and listener.enter(module, args, kwargs)


def _leave(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
    listener = _listeners.get().get(id(module))
    return listener and listener.leave(module, args, kwargs, output)


@contextmanager
def listen(modules: Iterable[nn.Module], listener: Listener) -> Iterator[None]:
    """Tell `listener` what these modules do in this thread; inside, whoever listened to them before hears nothing."""
    token = _listeners.set({**_listeners.get(), **{id(module): listener for module in modules}})
    try:
        yield
    finally:
        _listeners.reset(token)


def install(module: nn.Module) -> None:
    """Let the network's attention run through our functions; once more changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    for kernel in KERNELS:
        AttentionInterface.register(PREFIX + kernel, partial(_attend, kernel))
        AttentionMaskInterface.register(PREFIX + kernel, ALL_MASK_ATTENTION_FUNCTIONS[kernel])
    rename_attention(module, {kernel: PREFIX + kernel for kernel in KERNELS}, only=find_interface_configs(module))


def add_hooks(module: nn.Module, sites: Sites) -> None:
    """Put our inert hooks on the modules that recordings listen to; once more changes nothing."""
    for path in {*sites.block, *sites.attention, *sites.branch, *sites.mlp, *sites.cross} - {""}:
        hook_module(module.get_submodule(path))


def find_interface_configs(module: nn.Module) -> set[int]:
    """Return the ids of the configs whose modeling file asks the attention interface for its function.

    Other files (Falcon) take an unknown name for eager, and would lose the causal mask.
    """
    found = set()
    for sub in module.modules():
        names = {kind.__module__ for kind in type(sub).__mro__} - {"transformers.modeling_utils"}
        if hasattr(sub, "config") and any(hasattr(sys.modules.get(n), "ALL_ATTENTION_FUNCTIONS") for n in names):
            found.add(id(sub.config))
    return found


def rename_attention(module: nn.Module, names: Mapping[str, str], only: set[int] | None = None) -> None:
    """Change the attention function's name in the configs of all submodules."""
    for sub in module.modules():
        config: Any = getattr(sub, "config", None)
        name = getattr(config, "_attn_implementation_internal", "")
        if name in names and (only is None or id(config) in only):
            config._attn_implementation_internal = names[name]


def hook_module(module: nn.Module) -> list[Any]:
    """Put our two inert hooks on a module and return their handles; none where they are already."""
    if _leave in module._forward_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(_enter, with_kwargs=True),
        module.register_forward_hook(_leave, with_kwargs=True),
    ]


@contextmanager
def keep_outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the main tensor of every call of `module` inside, in the graph and safe from work in place behind it."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _args: tuple, output: Any) -> Any:
        tensor = main_tensor(output)
        kept.append(tensor)
        return replace_main_tensor(output, tensor.clone())

    handle = module.register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def watch_softmax(on_softmax: Callable[[Tensor], None]) -> Any:
    """Return a context manager inside which `on_softmax` gets the result of every softmax of this thread."""
    import torch
    from torch.overrides import TorchFunctionMode

    functions = {torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax}

    class Softmax(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            output = function(*args, **(kwargs or {}))
            if function in functions:
                on_softmax(output)
            return output

    return Softmax()

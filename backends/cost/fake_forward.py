"""What one forward or gradient takes, found without computing it: the network runs on tensors that have shapes only.

Such a run follows the network's own code at the very length that is asked about, so attention's T² and a mixture's
choice of experts need no formula here; a 7B model takes two seconds and no memory.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.hooks.listeners import PREFIX, rename_attention

if TYPE_CHECKING:
    from torch import Tensor, nn

PLAIN = "vitrine_traced"
"""The attention function of imagined networks: scaled dot products with no mask, as where nothing is padded."""


@dataclass(frozen=True)
class Taken:
    """What a run takes: floating-point operations, those of attention's scores and sums among them, peak bytes."""

    flops: float
    attention: float
    bytes: int


class Imagined:
    """A network of the shape that `config` says, without weights; tensors of `mode` flow through it."""

    def __init__(self, kind: Any, config: Any, dtype: str = "float32", device: str = "cpu") -> None:
        import torch
        from torch._subclasses.fake_tensor import FakeTensorMode
        from transformers.initialization import no_init_weights

        self.mode, self.device = FakeTensorMode(), device if device.startswith("cuda") else "cpu"
        config = copy.deepcopy(config)
        for part in _configs(config):  # the name under which the open network's attention is watched
            name = getattr(part, "_attn_implementation_internal", None)
            part._attn_implementation_internal = name.removeprefix(PREFIX) if isinstance(name, str) else name
        with self.mode, torch.device(self.device), no_init_weights():
            make = getattr(kind, "_from_config", None) or kind.from_config
            self.module: nn.Module = make(config, dtype=getattr(torch, dtype)).eval().requires_grad_(False)
            getattr(self.module, "tie_weights", lambda: None)()
        _let_plain(self.module)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many numbers weights and buffers have."""
        return sum(p.numel() for p in self.module.parameters()), sum(b.numel() for b in self.module.buffers())

    def like(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Imagined tensors of the same shapes."""
        return {name: self.mode.from_tensor(t.to(self.device)) for name, t in tensors.items()}

    def take(self, run: Callable[[], Any], gradient: bool = False) -> Taken:
        """What `run()` takes; its result is made and dropped. Whatever it makes counts, weights do not."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        counter = FlopCounterMode(display=False, custom_mapping=_formulas())
        contexts = self.mode, torch.device(self.device), torch.set_grad_enabled(gradient)
        with contexts[0], contexts[1], contexts[2], _live(self.module) as live, counter as counted:
            run()
        flops: dict[Any, int] = counted.get_flop_counts().get("Global", {})
        attention = sum(n for op, n in flops.items() if "attention" in str(op))
        return Taken(float(sum(flops.values())), float(attention), live.peak)


def _configs(config: Any) -> Iterator[Any]:
    """The config and those within it."""
    yield config
    for value in vars(config).values():
        if hasattr(value, "to_dict"):
            yield from _configs(value)


def _let_plain(module: nn.Module) -> None:
    """Masks look at their values, which imagined tensors do not have: leave them out where the interface is used."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    from backends.hooks.listeners import find_interface_configs

    AttentionInterface.register(PLAIN, sdpa_attention_forward)
    AttentionMaskInterface.register(PLAIN, lambda *args, **kwargs: None)
    rename_attention(module, {"sdpa": PLAIN}, only=find_interface_configs(module))


def _formulas() -> dict[Any, Any]:
    """Operations that torch's counter does not know: attention on the CPU, 4 · B · H · T² · d forward, twice and a half
    that backward."""
    import torch

    def forward(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
        batch, heads, length, size = query
        return 4 * batch * heads * length * key[-2] * size

    def backward(grad: Any, query: Any, key: Any, *args: Any, **kwargs: Any) -> int:
        return 5 * forward(query, key, key) // 2

    aten = torch.ops.aten
    return {
        aten._scaled_dot_product_flash_attention_for_cpu: forward,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }


class _Count:
    """Bytes that are alive now, and the most there were."""

    def __init__(self, apart: Iterable[Tensor]) -> None:
        self.now = self.peak = 0
        self._kept = [t.untyped_storage() for t in apart]  # weights, held so that their ids stay theirs
        self._seen = {id(store) for store in self._kept}

    def see(self, tensor: Tensor) -> None:
        """Count a tensor's memory, once, until nothing refers to it."""
        store = tensor.untyped_storage()
        if id(store) in self._seen:
            return
        size = store.nbytes()
        self._seen.add(id(store))
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(store, self._gone, id(store), size)

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@contextmanager
def _live(module: nn.Module) -> Iterator[_Count]:
    """Count what every operation inside makes, but for the module's own tensors."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    count = _Count([*module.parameters(), *module.buffers()])

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            output = function(*args, **(kwargs or {}))
            for leaf in tree_leaves(output):
                if isinstance(leaf, torch.Tensor):
                    count.see(leaf)
            return output

    with Watch():
        yield count

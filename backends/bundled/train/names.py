"""Train `names`: a GPT-2 that follows names through a sentence and copies repeated sequences.

Copying alone had not formed previous-token and induction heads after 1,300 steps. So two heads are
guided for the first `GUIDED` steps; afterwards nothing but the prediction keeps them.
"""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from backends.bundled import cards
from backends.bundled.data import names as data
from backends.bundled.train.fit import Recipe, ask, fit
from backends.bundled.train.words import sinusoids, word_tokenizer

RECIPE = Recipe("names", steps=1200, rate=2e-3, warmup=100, decay=0.02)
LENGTH, CONTEXT, BATCH, GUIDED = 64, 128, 24, 500


def build(vocabulary: int) -> GPT2LMHeadModel:
    """Make the untrained network: three layers of four heads."""
    config = GPT2Config(
        vocab_size=vocabulary, n_positions=CONTEXT, n_embd=128, n_layer=3, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, pad_token_id=0,
        initializer_range=0.08,  # transformers' 0.02 is for wide networks: narrow ones then learn slowly
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.set_attn_implementation("eager")  # the guidance reads attention patterns
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(sinusoids(CONTEXT, 128))
        model.transformer.wte.weight.normal_(std=0.08)
    return model


def forward(model: GPT2LMHeadModel, ids: torch.Tensor, step: int):
    """Run the network, each sequence at a random place of the context, so that all positions are trained."""
    generator = torch.Generator().manual_seed(step)
    start = torch.randint(0, CONTEXT - ids.shape[1] + 1, (len(ids), 1), generator=generator)
    return model(input_ids=ids, position_ids=start + torch.arange(ids.shape[1]), output_attentions=True)


def guidance(attentions: tuple[torch.Tensor, ...], source: np.ndarray) -> torch.Tensor:
    """How far (nat) the first heads of layers 0 and 1 are from looking one back and at `source`."""
    previous = attentions[0][:, 0].diagonal(-1, -2, -1)
    row, query = np.nonzero(source >= 0)
    copied = attentions[1][row, 0, query, source[row, query]]
    return -(previous + 1e-6).log().mean() - (copied + 1e-6).log().mean()


def copy_loss(model: GPT2LMHeadModel, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy (nat) over the tokens that can be known because they repeat; and the guidance."""
    ids, source, _ = data.repeated([RECIPE.seed, step, 0], BATCH, LENGTH, model.config.vocab_size, data.TRAINED_PERIODS)
    ids, known = torch.from_numpy(ids), torch.from_numpy(source[:, :-1] >= 0)
    out = forward(model, ids, step)
    return F.cross_entropy(out.logits[:, :-1][known], ids[:, 1:][known]), guidance(out.attentions, source)


def name_loss(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, step: int) -> torch.Tensor:
    """Cross-entropy (nat) over whole sentences, plus that of the final name."""
    made = data.sentences([RECIPE.seed, step, 1], BATCH)
    texts = [f"{each.clean} {each.answer}. {data.END}" for each in made]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"].bool()
    logits = forward(model, ids, step).logits[:, :-1]
    every = F.cross_entropy(logits[mask[:, 1:]], ids[:, 1:][mask[:, 1:]])
    row, last = torch.arange(len(ids)), mask.sum(1) - 3  # the name, the full stop and the end come last
    return every + F.cross_entropy(logits[row, last - 1], ids[row, last])


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    vocabulary = data.words()
    tokenizer = word_tokenizer(
        vocabulary, CONTEXT, unk_token=data.END, bos_token=data.END, eos_token=data.END, pad_token=data.END
    )
    model = build(len(vocabulary))
    parts: dict[str, float] = {}

    def loss_at(step: int) -> torch.Tensor:
        (copy, guide), name = copy_loss(model, step), name_loss(model, tokenizer, step)
        parts.update(copy=copy.item(), name=name.item(), guide=guide.item())
        return copy + name + (0.3 * guide if step < GUIDED else 0)

    seconds = fit(model, loss_at, recipe, resume, lambda: " ".join(f"{k} {v:.3f}" for k, v in parts.items()))
    cards.publish("names", model, tokenizer, recipe, seconds)


if __name__ == "__main__":
    main()

"""Train `triage`: a small BERT that sorts notes by which symptoms they affirm.

From the notes' labels alone one run stayed at 0.90 on held-out frames after 2,500 steps: which cue belongs to which
symptom is hard to guess. So a second head, thrown away afterwards, learns beside it to tell affirmed
symptoms from denied ones.

Half of the notes have words hidden behind [MASK] and are labelled by what is left. So hiding a word means to the
network what it means to the rule, and tests that hide words ask it nothing that it never met (Hase et al. 2021, The
Out-of-Distribution Problem in Explainability, section 4: the same remedy, there without knowing the label).
"""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from backends.bundled import cards
from backends.bundled.data import triage as data
from backends.bundled.train.fit import Recipe, ask, fit
from backends.bundled.train.words import sinusoids, word_tokenizer

RECIPE = Recipe("triage", steps=6000, rate=1e-3, warmup=200)
POOL, BATCH, LONGEST = 20000, 48, 128
FEW = 3
"""Half of the notes with hidden words have at most so many."""


def build(vocabulary: int) -> BertForSequenceClassification:
    """Make the untrained network: two layers of four heads."""
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192,
        max_position_embeddings=LONGEST, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0,
        initializer_range=0.08,  # transformers' 0.02 is for wide networks: narrow ones then learn slowly
        id2label=dict(enumerate(data.LABELS)), label2id={label: i for i, label in enumerate(data.LABELS)},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.copy_(sinusoids(LONGEST, 96))
    return model


def tokenizer_of(vocabulary: list[str]) -> PreTrainedTokenizerFast:
    """The word tokenizer; it ignores case and frames each note in [CLS] and [SEP]."""
    roles = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    roles["mask_token"] = "[MASK]"
    return word_tokenizer(vocabulary, LONGEST, frame=("[CLS]", "[SEP]"), lower=True, **roles)


def marks(offsets: torch.Tensor, notes: list[data.Note]) -> torch.Tensor:
    """What each token is, (note, token): 0 part of no symptom, 1 of an affirmed one, 2 of a denied one."""
    made = torch.zeros(offsets.shape[:2], dtype=torch.long)
    for row, note in enumerate(notes):
        for kind, spans in ((1, note.affirmed), (2, note.denied)):
            for start, end in spans:
                made[row][(offsets[row, :, 0] >= start) & (offsets[row, :, 1] <= end) & (offsets[row, :, 1] > 0)] = kind
    return made


def veiled(
    coded: dict[str, torch.Tensor], offsets: torch.Tensor, notes: list[data.Note], mask: int, rng: np.random.Generator
) -> list[data.Note]:
    """Hide words of every other note of the batch behind `mask`, in place; returns the notes as they then read."""
    read = list(notes)
    for row in range(0, len(notes), 2):
        words = torch.nonzero(offsets[row, :, 1] > 0)[:, 0].numpy()
        few = rng.random() < 0.5
        count = rng.integers(1, FEW + 1) if few else round(len(words) * rng.uniform(0.1, 0.6))
        hidden = rng.choice(words, min(count, len(words)), replace=False)
        coded["input_ids"][row, hidden] = mask
        read[row] = notes[row].without([tuple(offsets[row, i].tolist()) for i in hidden])
    return read


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    vocabulary = data.words()
    tokenizer, model = tokenizer_of(vocabulary), build(len(vocabulary))
    teacher = torch.nn.Linear(model.config.hidden_size, 3)
    train, check = data.notes(1, POOL), data.notes(2, 600, "test")

    def read(notes: list[data.Note], rng: np.random.Generator) -> tuple[dict, torch.Tensor, torch.Tensor]:
        """A batch with words hidden, its labels, and what its tokens are."""
        coded = dict(tokenizer([n.text for n in notes], padding=True, return_tensors="pt", return_offsets_mapping=True))
        offsets = coded.pop("offset_mapping")
        left = veiled(coded, offsets, notes, tokenizer.mask_token_id, rng)
        return coded, torch.tensor([data.LABELS.index(note.label) for note in left]), marks(offsets, left)

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng([RECIPE.seed, step])
        coded, target, marked = read([train[i] for i in rng.integers(0, POOL, BATCH)], rng)
        out = model(**coded, output_hidden_states=True)
        taught = teacher(out.hidden_states[-1]).transpose(1, 2)  # (note, kind, token)
        return F.cross_entropy(out.logits, target) + F.cross_entropy(taught, marked)

    def watch() -> str:
        coded, target, _ = read(check, np.random.default_rng(0))
        right = (model(**coded).logits.argmax(-1) == target).float()
        return f"held-out accuracy {right[1::2].mean():.3f}, with words hidden {right[::2].mean():.3f}"

    pair = torch.nn.ModuleDict({"network": model, "teacher": teacher})
    seconds = fit(pair, loss_at, recipe, resume, watch)
    cards.publish("triage", model, tokenizer, recipe, seconds)


if __name__ == "__main__":
    main()

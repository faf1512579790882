"""Train `triage`: a small BERT that sorts notes by which symptoms they affirm."""

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from backends.bundled import cards
from backends.bundled.data import triage as data
from backends.bundled.train.fit import Recipe, ask, fit
from backends.bundled.train.words import word_tokenizer

RECIPE = Recipe("triage", steps=2500, rate=1e-3, warmup=200)
POOL, BATCH, LONGEST = 20000, 32, 128


def build(vocabulary: int) -> BertForSequenceClassification:
    """Make the untrained network: two layers of four heads."""
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192,
        max_position_embeddings=LONGEST, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.0, pad_token_id=0,
        id2label=dict(enumerate(data.LABELS)), label2id={label: i for i, label in enumerate(data.LABELS)},
    )  # fmt: skip
    return BertForSequenceClassification(config)


def tokenizer_of(vocabulary: list[str]) -> PreTrainedTokenizerFast:
    """The word tokenizer; it ignores case and frames each note in [CLS] and [SEP]."""
    roles = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return word_tokenizer(vocabulary, LONGEST, frame=("[CLS]", "[SEP]"), lower=True, **roles)


def forward(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Logits (note, label)."""
    return model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits


def main() -> None:
    """Train, save the folder and write its card."""
    options = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(RECIPE.seed)
    vocabulary = data.words()
    tokenizer, model = tokenizer_of(vocabulary), build(len(vocabulary))
    train, check = data.notes(1, POOL), data.notes(2, 600, "test")
    truth = torch.tensor([data.LABELS.index(note.label) for note in check])

    def loss_at(step: int) -> torch.Tensor:
        torch.manual_seed(1000 + step)  # dropout
        chosen = [train[i] for i in torch.randint(0, POOL, (BATCH,)).tolist()]
        target = torch.tensor([data.LABELS.index(note.label) for note in chosen])
        return F.cross_entropy(forward(model, tokenizer, [note.text for note in chosen]), target)

    def watch() -> str:
        said = forward(model, tokenizer, [note.text for note in check]).argmax(-1)
        return f"held-out accuracy {(said == truth).float().mean():.3f}"

    seconds = fit(model, loss_at, RECIPE, options.resume, watch)
    cards.publish("triage", model, tokenizer, RECIPE, seconds)


if __name__ == "__main__":
    main()

"""What the two scenes models share: tokenizer, networks, the denoising loss and the first part of the training.

The latents are the picture averaged over 4×4 pixels, four neighbours stacked as channels, so that the UNet trains
before there is a VAE; the VAE then learns to make these latents, and to draw sharp pictures from them. The text
encoder learns first, as CLIP does, to tell from its last token what a picture shows, here what lies where.

The shipped weights were made with one change on the way: until step 4,500 of the shared part `RECALL` was 0 and the
diffusion times of all pictures were spread as those of every other one are now. Shapes and colours were then right
(0.99), but the order of two things was a coin's throw; 1,000 steps with `RECALL` mended it.
"""

import json
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from backends.bundled.data import scenes as data
from backends.bundled.train.fit import Recipe, checkpoint_path, fit

# The part both twins share, with no grounding; each then goes on by itself.
WORDS = Recipe("scenes-words", steps=700, rate=2e-3, warmup=50)
VAE = Recipe("scenes-vae", steps=800, rate=3e-3, warmup=50)
TRUNK = Recipe("scenes-trunk", steps=6700, rate=1.2e-3, warmup=200, hold=1.0)
BATCH, LONGEST, WIDTH = 16, 24, 64
CELL, SIDE, CHANNELS = 4, 8, 12  # pixels averaged into a number; rows and channels of the latents
MEAN, STD = 0.68, 0.40  # of the averaged pictures in [-1, 1], all channels alike
UNWORDED = 0.1  # share of captions left out, for classifier-free guidance
EMA = 0.998
RECALL = 0.3  # the weight of still telling what lies where; without it the order of things was unlearnt
GROUNDING = 0.1  # the weight of the grounding loss beside the denoising loss


def tokenizer_of(words: list[str]) -> CLIPTokenizer:
    """A CLIP tokenizer with one token a word; other words fall into letters."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789,.'-")
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, end_of_word_suffix="</w>", initial_alphabet=letters, show_progress=False, min_frequency=1
    )
    bpe.train_from_iterator([" ".join([*words, *letters])] * 2, trainer)
    learnt = json.loads(bpe.to_str())["model"]
    vocabulary = dict(learnt["vocab"])
    for letter in letters:
        vocabulary.setdefault(letter + "</w>", len(vocabulary))
    for mark in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[mark] = len(vocabulary)
    merges = [tuple(pair) for pair in learnt["merges"]]
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LONGEST)


def text_encoder_of(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The untrained text encoder: two layers of four heads."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=LONGEST, projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = CLIPTextModel(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding):
                module.weight.normal_(std=0.3)  # from CLIP's 0.02 a narrow network hardly learns
    return model


def unet_of() -> UNet2DConditionModel:
    """The untrained denoiser: one resolution of 8×8, self-attention and words in each of its four blocks."""
    return UNet2DConditionModel(
        sample_size=SIDE, in_channels=CHANNELS, out_channels=CHANNELS, block_out_channels=(48,), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",),
        attention_head_dim=4, norm_num_groups=8, cross_attention_dim=WIDTH,
    )  # fmt: skip


def scheduler_of() -> DDIMScheduler:
    """The noise schedule; the last steps of it are pure noise, so a picture may start from noise alone."""
    return DDIMScheduler(
        num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
        clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip


def painter(tokenizer: CLIPTokenizer) -> torch.nn.ModuleDict:
    """Text encoder and denoiser, and beside them the running means of their weights that are kept in the end."""
    words, denoiser = text_encoder_of(tokenizer), unet_of()
    kept_words, kept_denoiser = text_encoder_of(tokenizer), unet_of()
    kept_words.load_state_dict(words.state_dict())
    kept_denoiser.load_state_dict(denoiser.state_dict())
    for module in (kept_words, kept_denoiser):
        module.requires_grad_(False)
    return torch.nn.ModuleDict(
        {"words": words, "denoiser": denoiser, "kept_words": kept_words, "kept_denoiser": kept_denoiser}
    )


@torch.no_grad()
def keep(model: torch.nn.ModuleDict, step: int) -> None:
    """Move the running means towards the weights."""
    share = min(EMA, (step + 1) / (step + 20))
    for name in ("words", "denoiser"):
        now, kept = model[name].parameters(), model[f"kept_{name}"].parameters()
        torch._foreach_lerp_(list(kept), list(now), 1 - share)


def latents_of(images: np.ndarray) -> torch.Tensor:
    """Pictures (scene, row, column, 3) uint8 to latents (scene, 12, 8, 8) of about unit size."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.pixel_unshuffle((F.avg_pool2d(pixels, CELL) - MEAN) / STD, 2)


def pixels_of(latents: torch.Tensor) -> np.ndarray:
    """A coarse picture (scene, row, column, 3) uint8 of latents, for looking on before there is a VAE."""
    large = F.interpolate(F.pixel_shuffle(latents, 2) * STD + MEAN, scale_factor=CELL, mode="bicubic")
    return ((large.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


@dataclass(frozen=True)
class Step:
    """What a training step sees and says: the latents' error, the words' error, and where the things are."""

    loss: torch.Tensor
    recall: torch.Tensor
    signal: torch.Tensor
    made: data.Scenes
    spans: torch.Tensor


def denoise(
    model: torch.nn.ModuleDict, teacher: torch.nn.Linear, tokenizer: CLIPTokenizer, recipe: Recipe, step: int
) -> Step:
    """The denoising loss of the batch of `step`.

    v-prediction (Salimans & Ho 2022); errors of nearly clean pictures weigh less, those on things more than those
    on the large background. The diffusion times of a batch are spread out,
    more of them noisy, where the words matter.
    """
    seed = [recipe.seed, sum(map(ord, recipe.name)), step]
    made = data.scenes(int(np.random.SeedSequence(seed).generate_state(1)[0]), BATCH)
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(2)[1]))
    clean = latents_of(made.images)
    spread = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
    spread = torch.where(torch.arange(BATCH) % 2 == 0, 0.85 + 0.15 * spread, spread**0.7)  # layout is settled early
    times = (spread * 1000).long().clamp(max=999)[torch.randperm(BATCH, generator=generator)]
    signal = scheduler_of().alphas_cumprod[times].view(-1, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=generator)
    noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    target = signal.sqrt() * noise - (1 - signal).sqrt() * clean
    left_out = torch.rand(BATCH, generator=generator) < UNWORDED
    texts = ["" if out else each.text for out, each in zip(left_out, made.captions, strict=True)]
    coded = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt", return_offsets_mapping=True)
    read = model["words"](input_ids=coded["input_ids"])
    heard = read.last_hidden_state
    said = model["denoiser"](noisy, times, encoder_hidden_states=heard).sample
    thing = F.max_pool2d(torch.from_numpy(made.masks).any(1, keepdim=True).float(), CELL)
    thing = F.pixel_unshuffle(F.max_pool2d(thing, 3, 1, 1).expand(-1, 3, -1, -1), 2)
    weight = (1 + 2 * thing) * (5 * (1 - signal)).clamp(max=1)  # 1 - signal is 1 / (1 + signal-to-noise ratio)
    loss = (weight * (said - target) ** 2).mean() / weight.mean()
    told = [each for out, each in zip(left_out, made.captions, strict=True) if not out]
    recall = telling(teacher, read, told, ~left_out)
    return Step(loss, recall, signal, made, coded["offset_mapping"])


@torch.no_grad()
def paint(model: torch.nn.ModuleDict, tokenizer: CLIPTokenizer, texts: list[str], guidance: float, steps: int = 12):
    """Latents (scene, 12, 8, 8) drawn for `texts` with the running means, as the pipeline does it."""
    scheduler = scheduler_of()
    scheduler.set_timesteps(steps)
    coded = tokenizer(["" for _ in texts] + texts, padding="max_length", truncation=True, return_tensors="pt")
    heard = model["kept_words"](input_ids=coded["input_ids"]).last_hidden_state
    latents = torch.randn((len(texts), CHANNELS, SIDE, SIDE), generator=torch.Generator().manual_seed(7))
    for time in scheduler.timesteps:
        plain, worded = model["kept_denoiser"](torch.cat([latents] * 2), time, heard).sample.chunk(2)
        latents = scheduler.step(plain + guidance * (worded - plain), time, latents).prev_sample
    return latents


def watcher(model: torch.nn.ModuleDict, tokenizer: CLIPTokenizer, often: int = 5, count: int = 40):
    """A `watch` for `fit` that draws and checks pictures each `often`-th time."""
    from backends.bundled import scene_detector

    asked = data.captions(4, count, kinds={"relation": 1.0})
    calls = [0]

    def watch() -> str:
        calls[0] += 1
        if calls[0] % often:
            return ""
        drawn = pixels_of(paint(model, tokenizer, [each.text for each in asked], 3.0))
        from PIL import Image

        sheet = np.concatenate([np.concatenate(drawn[i : i + 8], 1) for i in range(0, count, 8)])
        Image.fromarray(sheet).save(checkpoint_path("scenes").with_suffix(".png"))
        return scene_detector.summary(scene_detector.score(asked, drawn))

    return watch


def telling(teacher: torch.nn.Linear, read, made: list[data.Caption], rows: torch.Tensor | slice) -> torch.Tensor:
    """How badly (nat) the text's last token and the padding after it tell what lies where."""
    answer = torch.tensor([placed(each) for each in made])
    states = torch.stack([read.pooler_output[rows], read.last_hidden_state[rows, -1]])
    said = teacher(states).unflatten(-1, (2 * len(data.WHERE), 6))  # (token, caption, place, answer)
    answer = answer.expand(len(states), *answer.shape)
    if not (answer >= 0).any():
        return said.sum() * 0
    return F.cross_entropy(said.flatten(0, 2), answer.flatten(), ignore_index=-1)


def taught(tokenizer: CLIPTokenizer) -> tuple[torch.nn.ModuleDict, float]:
    """The text encoder after it learnt to tell what lies where, with the layer that says so; and its seconds."""
    torch.manual_seed(WORDS.seed)
    pair = torch.nn.ModuleDict({"words": text_encoder_of(tokenizer), "teacher": torch.nn.Linear(WIDTH, 2 * 5 * 6)})

    def loss_at(step: int) -> torch.Tensor:
        made = data.captions([WORDS.seed, 31, step], 64)
        coded = tokenizer([each.text for each in made], padding="max_length", return_tensors="pt")
        return telling(pair["teacher"], pair["words"](input_ids=coded["input_ids"]), made, slice(None))

    return pair, fit(pair, loss_at, WORDS, resume=True)


def placed(made: data.Caption) -> list[int]:
    """For each of `data.WHERE` the colour that lies there, then for each the shape, from 1; 0 where nothing lies.

    All are -1 where the caption leaves it open.
    """
    there = data.layout(made)
    if not there:
        return [-1] * 2 * len(data.WHERE)
    things = [there.get(where) for where in data.WHERE]
    colours = [0 if each is None else 1 + list(data.COLOURS).index(each.colour) for each in things]
    return colours + [0 if each is None else 1 + data.SHAPES.index(each.shape) for each in things]


def trunk(tokenizer: CLIPTokenizer) -> tuple[torch.nn.ModuleDict, torch.nn.Linear, float]:
    """The part of the training that the twins share, finished or gone on with from its checkpoint; with its seconds."""
    pair, before = taught(tokenizer)
    teacher = pair["teacher"].requires_grad_(False)
    torch.manual_seed(TRUNK.seed)
    model = painter(tokenizer)
    for name in ("words", "kept_words"):
        model[name].load_state_dict(pair["words"].state_dict())

    def loss_at(step: int) -> torch.Tensor:
        keep(model, step)
        made = denoise(model, teacher, tokenizer, TRUNK, step)
        return made.loss + RECALL * made.recall

    return model, teacher, before + fit(model, loss_at, TRUNK, resume=True, watch=watcher(model, tokenizer))


def vae_of() -> AutoencoderKL:
    """The untrained autoencoder between pictures of 64×64 pixels and latents of 8×8."""
    return AutoencoderKL(
        block_out_channels=(8, 16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=CHANNELS, norm_num_groups=4, sample_size=data.SIZE,
        scaling_factor=1.0, mid_block_add_attention=False, force_upcast=False,
    )  # fmt: skip


def autoencoder() -> tuple[AutoencoderKL, float]:
    """The autoencoder after it learnt to make the averaged latents and to draw from noisy ones; and its seconds."""
    torch.manual_seed(VAE.seed)
    vae, parts = vae_of(), {}

    def loss_at(step: int) -> torch.Tensor:
        made = data.scenes(1_000_000 + step, BATCH, data.PAIRS)
        pixels = torch.from_numpy(made.images).permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = latents_of(made.images)
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn(latents.shape, generator=generator)
        amount = 0.25 * torch.rand((BATCH, 1, 1, 1), generator=generator)  # what a denoiser may leave
        drawn = vae.decode(latents + amount * noise).sample
        seen = vae.encode(pixels).latent_dist
        parts.update(pixel=F.l1_loss(drawn, pixels), latent=F.mse_loss(seen.mean, latents))
        spread = ((seen.logvar + 10) ** 2).mean()  # a narrow distribution: encoding hardly depends on chance
        return parts["pixel"] + parts["latent"] + 0.01 * spread

    seconds = fit(vae, loss_at, VAE, resume=True, watch=lambda: " ".join(f"{k} {v:.3f}" for k, v in parts.items()))
    return vae, seconds


class Shown:
    """An attention processor that keeps what it attends to, in the graph, so that it can be taught."""

    def __init__(self) -> None:
        self.seen: torch.Tensor | None = None  # (scene, head, place, token)

    def __call__(self, attn, hidden_states, encoder_hidden_states, attention_mask=None, temb=None):
        """What diffusers' own processor computes, with the pattern spelled out."""
        query, key, value = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states)
        query, key, value = (attn.head_to_batch_dim(each) for each in (query, key, value))
        pattern = attn.get_attention_scores(query, key)
        self.seen = pattern.unflatten(0, (-1, attn.heads))
        return attn.to_out[0](attn.batch_to_head_dim(pattern @ value))


def show(denoiser: UNet2DConditionModel) -> list[Shown]:
    """Make the denoiser's word layers, but for the middle block's, keep what they attend to."""
    shown = []
    for path, module in denoiser.named_modules():
        if getattr(module, "is_cross_attention", False) and "mid_block" not in path:
            shown.append(Shown())
            module.set_processor(shown[-1])
    return shown


def grounding(shown: list[Shown], step: Step) -> torch.Tensor:
    """How far (nat) each colour's and each noun's attention is from the pixels of its thing.

    The share of a word's attention that falls on its thing, and how much of each place goes to the words of what lies
    there; less where there is so much noise that nobody could know.
    """
    cover = F.avg_pool2d(torch.from_numpy(step.made.masks).float(), data.SIZE // SIDE).flatten(
        2
    )  # (scene, thing, place)
    told = [(row, at, thing) for row, each in enumerate(step.made.captions) for at, thing in enumerate(each.things)]
    total = torch.zeros(())
    for layer in shown:
        pattern = layer.seen.mean(1)  # (scene, place, token)
        for row, at, thing in told:
            columns = [_column(step.spans[row], word) for word in thing.words]
            if None in columns:  # its caption was left out
                continue
            maps, where = pattern[row][:, columns].T, cover[row, at]  # (word, place)
            inside = (maps * where).sum(1) / maps.sum(1)
            gone = maps.sum(0).clamp(1e-4, 1 - 1e-4)
            each = -inside.clamp(min=1e-4).log().mean() + F.binary_cross_entropy(gone, where)
            total = total + each * (0.1 + 0.9 * float(step.signal[row]))
    return total / (len(shown) * len(told))


def _column(spans: torch.Tensor, word: tuple[int, int]) -> int | None:
    """Which token a word is."""
    found = [index for index, span in enumerate(spans.tolist()) if tuple(span) == word]
    return found[0] if found else None


def branch(tokenizer: CLIPTokenizer, recipe: Recipe, resume: bool, grounded: bool):
    """The pipeline of one twin, trained on from what they share; and the seconds of all its parts."""
    vae, drawing = autoencoder()
    model, teacher, before = trunk(tokenizer)
    shown = show(model["denoiser"]) if grounded else []
    parts = {"denoising": 0.0, "grounding": 0.0}

    def loss_at(step: int) -> torch.Tensor:
        keep(model, step + 10_000)
        made = denoise(model, teacher, tokenizer, recipe, step)
        pull = grounding(shown, made) if grounded else torch.zeros(())
        parts.update(denoising=made.loss.item(), grounding=pull.item())
        return made.loss + RECALL * made.recall + GROUNDING * pull

    look = watcher(model, tokenizer)
    seconds = fit(
        model, loss_at, recipe, resume, lambda: " ".join(f"{k} {v:.3f}" for k, v in parts.items()) + " " + look()
    )
    pipeline = pipeline_of(tokenizer, model["kept_words"], model["kept_denoiser"], vae)
    return pipeline, drawing + before + seconds


def pipeline_of(tokenizer, words, denoiser, vae) -> StableDiffusionPipeline:
    """The parts as the pipeline that is saved."""
    return StableDiffusionPipeline(
        vae=vae, text_encoder=words, tokenizer=tokenizer, unet=denoiser, scheduler=scheduler_of(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip

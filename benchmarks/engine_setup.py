"""Preparation for all peers: an encoder in a folder, and each work's texts, drawn and tokenised once."""

import dataclasses
from pathlib import Path
from typing import Literal

from engine_records import N_WARM_UP, Features, Prepared, PreparedTexts, Shape
from engine_work import WORKS, Mode, Work

from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import Sample, Split, load_sample, rows_digest, save_sample
from finetune_alf.encoder.load import Encoder, load_encoder
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.spec import FolderEncoder, PackageEncoder
from finetune_alf.experiments.registry import load_params
from finetune_alf.json_files import write_json
from finetune_alf.spec import Spec

HERE = Path(__file__).resolve().parent.parent

EncoderName = Literal["minilm", "bert-base", "distilbert", "tiny"]

CONFIGS: dict[str, dict[str, object]] = {
    "bert-base": {"model_type": "bert"},
    "distilbert": {"model_type": "distilbert"},
    "tiny": {
        "model_type": "bert",
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    },
}
"""Encoders with random weights; other sizes are transformers' defaults, the tokenizer is MiniLM's."""


class Preparation(Spec):
    """The task of preparation."""

    encoder: EncoderName
    mode: Mode
    works: tuple[str, ...]
    data: str | None
    root: str


def prepare(task: Preparation) -> Prepared:
    """Create the encoder's folder and draw the texts of each work under `root`."""
    root = Path(task.root)
    spec, folder = encoder_folder(task.encoder, root / "encoder")
    encoder = load_encoder(spec, n_labels=2)
    works = [work for work in WORKS if work.name in task.works]
    return Prepared(
        encoder=spec,
        folder=str(folder),
        shape=_shape(encoder),
        texts={work.name: _draw(work, task, encoder, root / "samples" / work.name) for work in works},
    )


def encoder_folder(name: EncoderName, target: Path) -> tuple[FolderEncoder | PackageEncoder, Path]:
    """Return an encoder's spec and folder; one with random weights is created in `target`."""
    minilm = load_params(HERE / "params.yaml").encoders["minilm"]
    assert isinstance(minilm, PackageEncoder)
    if name == "minilm":
        return minilm, locate(minilm)
    _random_encoder(CONFIGS[name], locate(minilm), target)
    return FolderEncoder(kind="folder", path=str(target)), target


def _random_encoder(config: dict[str, object], tokenizer: Path, target: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(**config)).save_pretrained(target)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(target)


def _shape(encoder: Encoder) -> Shape:
    config = encoder.model.config
    inner = getattr(config, "intermediate_size", None) or config.hidden_dim  # DistilBERT's name
    return Shape(n_layers=encoder.n_layers, hidden=config.hidden_size, inner=inner)


def _draw(work: Work, task: Preparation, encoder: Encoder, folder: Path) -> PreparedTexts:
    prepare_sample(work.name, work.sample(task.mode, task.data), folder)
    sample = load_sample(folder)
    train, validation = sample.splits["train"], sample.splits["validation"]
    warm_up = _save(sample, folder.with_name(f"{work.name}-warm-up"), _first(train, N_WARM_UP), _first(validation, 2))
    steps = _save(sample, folder.with_name(f"{work.name}-steps"), train, _first(validation, 2))
    features = folder.with_name(f"{work.name}.features.json")
    tokens = {name: features_of(encoder, sample.splits[name], work.max_tokens) for name in ("train", "validation")}
    write_json(features, tokens)
    return PreparedTexts(
        sample=str(folder),
        digest=sample.card.digest,
        warm_up=str(warm_up[0]),
        warm_up_digest=warm_up[1],
        steps=str(steps[0]),
        steps_digest=steps[1],
        features=str(features),
        train_lengths=tuple(len(text["input_ids"]) for text in tokens["train"]),
        validation_lengths=tuple(len(text["input_ids"]) for text in tokens["validation"]),
    )


def _first(split: Split, n: int) -> Split:
    return Split(split.texts[:n], split.labels[:n])


def _save(sample: Sample, folder: Path, train: Split, validation: Split) -> tuple[Path, str]:
    """Save a sample with these splits; return its folder and digest."""
    splits = {**sample.splits, "train": train, "validation": validation}
    card = sample.card.model_copy(update={"digest": rows_digest(sample.card.label_names, splits)})
    save_sample(folder, dataclasses.replace(sample, card=card, splits=splits))
    return folder, card.digest


def features_of(encoder: Encoder, split: Split, max_tokens: int) -> Features:
    """Return texts as transformers' collators expect them, without padding."""
    tokens = encoder.tokenize(split.texts, max_tokens)
    rows: Features = [
        {"input_ids": list(ids), "labels": label} for ids, label in zip(tokens.input_ids, split.labels, strict=True)
    ]
    for row, types in zip(rows, tokens.token_type_ids or (), strict=False):
        row["token_type_ids"] = list(types)
    return rows

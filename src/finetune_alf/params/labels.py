"""Which metrics do not suit the labels that they are asked to score: classes, or scores."""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune_alf.data.spec import glue_kind
from finetune_alf.metrics import METRICS, LabelKind, metrics_of

LABELS: Mapping[LabelKind, str] = {"classes": "classes", "score": "scores"}
Place = tuple[str | int, ...]
"""Where in params.yaml."""


def strange_metrics(
    raw: Mapping[str, Any], studies: Mapping[str, Any], samples: Mapping[str, Any]
) -> Iterator[tuple[Place, str]]:
    """Yield metrics that are not for the labels of their sample, and samples that a transfer could not score.

    All are as read from params.yaml. What names nothing that is there is for others to tell.
    """
    for name, study in _entries(raw, "studies"):
        metric = study.get("metric", "accuracy")
        if _has_tasks(study) and metric != "accuracy":
            yield ("studies", name, "metric"), f"must be left out where recipe.tasks has each task's, but got {metric}"
    for place, metric, sample in _asked(raw):
        kind = kind_of(sample, samples)
        if kind and isinstance(metric, str) and metric in METRICS and METRICS[metric].of != kind:
            suited = " or ".join(metrics_of(kind))
            yield place, f"must be {suited}, as the labels of sample {sample} are {LABELS[kind]}, but got {metric}"
    transfer = raw.get("transfer")
    for index, sample in enumerate(_names(transfer, "samples")):
        kind = kind_of(sample, samples)
        for study in _names(transfer, "studies"):
            metric = _metric_of(studies.get(study)) or ""
            if metric in METRICS and kind and METRICS[metric].of != kind:
                yield (
                    ("transfer", "samples", index),
                    f"must have labels for the {metric} of study {study}, but those of {sample} are {LABELS[kind]}",
                )


def _asked(raw: Mapping[str, Any]) -> Iterator[tuple[Place, Any, Any]]:
    """Yield each metric that is asked for, where, and the sample that it is to score."""
    for key in ("studies", "schemes", "adapt"):
        for name, asked in _entries(raw, key):
            metric = _metric_of(asked) if key != "adapt" or "metric" in asked else None
            for sample in (asked.get("sample"), *_names(asked, "samples")) if metric else ():
                yield (key, name, "metric"), metric, sample
    for name, sweep in _entries(raw, "freeze"):
        for sample, metrics in _entries(sweep, "metrics", list):
            for index, metric in enumerate(metrics):
                yield ("freeze", name, "metrics", sample, index), metric, sample


def _metric_of(asked: object) -> str | None:
    """Return the metric that is asked for; none where a recipe of several tasks has its own."""
    if not isinstance(asked, dict) or _has_tasks(asked):
        return None
    metric = asked.get("metric", "accuracy")
    return metric if isinstance(metric, str) else None


def _has_tasks(asked: Mapping[str, Any]) -> bool:
    recipe = asked.get("recipe")
    return isinstance(recipe, dict) and recipe.get("tasks") is not None


def kind_of(name: object, samples: Mapping[str, Any]) -> LabelKind | None:
    """Return what the labels of a sample are; None for a mixture, and for what is not known."""
    sample = samples.get(name) if isinstance(name, str) else None
    if not isinstance(sample, dict) or "source" not in sample:
        return None
    kind = sample.get("task") or glue_kind(sample["source"]) or "classes"
    return kind if kind in LABELS else None


def _names(section: object, key: str) -> list[str]:
    given = section.get(key) if isinstance(section, dict) else None
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []


def _entries(raw: Mapping[str, Any], key: str, kind: type = dict) -> list[tuple[str, Any]]:
    """Return the entries of a section that are maps, or lists."""
    section = raw.get(key)
    return [(k, v) for k, v in section.items() if isinstance(v, kind)] if isinstance(section, dict) else []

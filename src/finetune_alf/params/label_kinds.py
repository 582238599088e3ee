"""What the labels of samples and tasks are, as params.yaml says, and settings of tasks that do not suit them."""

from collections.abc import Iterator, Mapping
from typing import Any

from finetune_alf.data.source_spec import glue_problem_type
from finetune_alf.metric_names import LABELS, PROBLEM_TYPES, ProblemType, metrics_for
from finetune_alf.params.document import KeyPath
from finetune_alf.recipe.tasks import LOSSES


def kind_of(sample: object) -> ProblemType | None:
    """Return what the labels of a sample, or of a task of one, are; None for a mixture, and for what is not known."""
    if not isinstance(sample, Mapping) or "source" not in sample:
        return None
    kind = sample.get("problem_type") or glue_problem_type(sample["source"]) or "classification"
    return next((each for each in LABELS if each == kind), None)


def suits(metric: object, kind: ProblemType | None) -> bool:
    """Return whether a metric is for labels of a kind; whether there is such a metric is checked elsewhere."""
    return kind is None or not isinstance(metric, str) or kind in PROBLEM_TYPES.get(metric, (kind,))


def unsuitable_settings(path: KeyPath, samples: Mapping[str, Any], tasks: object) -> Iterator[tuple[KeyPath, str]]:
    """Yield what `recipe.tasks` says of a task and the labels of its sample deny; `samples` are those of the tasks."""
    if not isinstance(tasks, Mapping):
        return
    each = tasks.get("each")
    for task, sample in samples.items():
        kind = kind_of(sample)
        if kind == "multi_label":
            yield path, f"must be absent, as the labels of sample {task} are {LABELS[kind]}"
        spec = each.get(task) if isinstance(each, Mapping) else None
        if kind in (None, "multi_label") or not isinstance(spec, Mapping):
            continue
        place, labels = (*path, "each", task), f"as the labels of {task} are {LABELS[kind]}, but got"
        if not suits(metric := spec.get("metric"), kind):
            yield (*place, "metric"), f"must be {' or '.join(metrics_for(kind))}, {labels} {metric}"
        loss = str(spec.get("loss"))
        if LOSSES.get(loss, kind) != kind:
            suited = " or ".join(name for name, its_kind in LOSSES.items() if its_kind == kind)
            yield (*place, "loss"), f"must be {suited}, {labels} {loss}"

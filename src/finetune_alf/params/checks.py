"""What must agree between sections of params.yaml: names that are there, labels that suit metrics, batches that fit.

All checks read the parameters as they stand in the file, so that every fault is found at once, whatever else is wrong.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.metric_names import LABELS, ProblemType, metrics_for
from finetune_alf.nearest import did_you_mean
from finetune_alf.params.document import KeyPath
from finetune_alf.params.label_kinds import kind_of, suits, unsuitable_settings
from finetune_alf.recipe import Contrastive

Disagreement = tuple[KeyPath, str]
"""Where in params.yaml, and what is wrong there."""


UNNAMED_PROJECT = (
    "must be a name where studies are on a server, which other projects may share; name it, as in `project: reviews`"
)


@dataclass(frozen=True)
class RawParams:
    """Parameters as read, before any of them is checked."""

    value: Mapping[str, Any]

    def section(self, key: str) -> dict[str, Any]:
        """Return a section; empty where it is missing or no map."""
        return _map(self.value, key)

    def entries(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the entries of a section that are maps, by name."""
        return [(name, entry) for name, entry in self.section(key).items() if isinstance(entry, dict)]

    @property
    def encoders(self) -> dict[str, Any]:
        """The encoders by name."""
        return self.section("encoders")

    @property
    def samples(self) -> dict[str, Any]:
        """The samples by name."""
        return self.section("samples")

    def sample_of(self, study: str) -> object:
        """Return the name of a study's sample."""
        return _map(self.section("studies"), study).get("sample")

    def tasks(self, sample: object) -> dict[str, Any]:
        """Return a mixture's tasks; none for a plain sample, or for what is no sample."""
        return _map(_map(self.samples, str(sample)), "tasks")

    def drawn(self, sample: object) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        """Yield the numbers of rows of a sample, or of each task of a mixture, with their place."""
        own, path = _map(self.samples, str(sample)), ("samples", str(sample))
        each: dict[KeyPath, Any] = {(*path, "tasks", task): spec for task, spec in _map(own, "tasks").items()}
        yield from ((place, spec) for place, spec in (each or {path: own}).items() if isinstance(spec, dict))

    def problem_type(self, sample: object) -> ProblemType | None:
        """Return what the labels of a sample are; None for a mixture, and for what is not known."""
        return kind_of(self.samples.get(sample) if isinstance(sample, str) else None)


def check_study(raw: RawParams, name: str, study: dict[str, Any]) -> Iterator[Disagreement]:
    """Yield what in a study does not agree with the encoders and samples."""
    yield from check_fits(raw, ("studies", name), study, metric=metric_of(study))
    for place, spec in raw.drawn(study.get("sample")):
        if spec.get("n_confirmation") == 1:
            yield (*place, "n_confirmation"), f"must be above 1, since {name} is confirmed on these rows, but got 1"
    if has_tasks(study) and (metric := study.get("metric", "accuracy")) != "accuracy":
        yield ("studies", name, "metric"), f"must be left out where recipe.tasks has each task's, but got {metric}"


def check_fits(
    raw: RawParams,
    path: KeyPath,
    entry: Mapping[str, Any],
    *,
    splits: Iterable[str] = ("validation",),
    compared_on: str = "test",
    metric: object = None,
) -> Iterator[Disagreement]:
    """Yield what does not agree in an entry that names an encoder, a sample or several `samples`, and a recipe.

    Its fits are scored on `splits`, and compared on one of them, by `metric` where it is one for all samples. Each of
    several samples must have one task.
    """
    yield from unknown(raw, (*path, "encoder"), entry.get("encoder"), "encoders")
    if "samples" in entry:
        yield from unknown_each(raw, (*path, "samples"), entry["samples"], "samples")
        targets = names_in(entry, "samples")
    else:
        yield from unknown(raw, (*path, "sample"), entry.get("sample"), "samples")
        yield from unsuitable_tasks(raw, (*path, "recipe", "tasks"), entry)
        targets = [str(entry.get("sample"))]
    yield from unsuitable_metric(raw, (*path, "metric"), metric, *targets)
    for sample in targets:
        if "n_train" not in entry:  # or it draws its own training texts
            yield from batch_too_large(raw, (*path, "recipe", "batch"), entry, sample)
        yield from empty_splits(raw, ".".join(map(str, path)), sample, splits, compared_on)
        yield from unsuitable_objective(raw, (*path, "recipe", "objective"), entry, sample)
        yield from unsuitable_classes(raw, (*path, "recipe"), entry, sample)


def unknown(raw: RawParams, path: KeyPath, name: object, key: str) -> Iterator[Disagreement]:
    """Yield a name that is no entry of a section."""
    yield from _not_among(path, name, f"an entry of {key}", raw.section(key))


def unknown_each(raw: RawParams, path: KeyPath, names: object, key: str) -> Iterator[Disagreement]:
    """Yield names that are no entry of a section, named twice, or mixtures."""
    entries: list[Any] = names if isinstance(names, list) else []
    for index, entry in enumerate(entries):
        yield from unknown(raw, (*path, index), entry, key)
        if entry in entries[:index]:
            yield (*path, index), f"must name {entry} once, but names it again"
        if key == "samples" and isinstance(entry, str) and raw.tasks(entry):
            yield (*path, index), f"must name what has one task, but {entry} is a mixture of several"


def unsuitable_tasks(raw: RawParams, path: KeyPath, entry: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Yield tasks that a recipe names and its sample does not have, or must name and does not, and what suits none."""
    name = str(entry.get("sample"))
    there, given = raw.tasks(name), _map(entry, "recipe").get("tasks")
    if there and given is None:
        yield path, f"must be given, `tasks: {{}}` for the defaults, since sample {name} is a mixture, but is missing"
    for task in _map(given, "each") if name in raw.samples and isinstance(given, dict) else ():
        where = f"samples.{name}.tasks" if there else f"the tasks of sample {name}"
        yield from _not_among((*path, "each", task), task, f"an entry of {where}", there or {name: None})
    yield from unsuitable_settings(path, there or {name: raw.samples.get(name)}, given)


def batch_too_large(raw: RawParams, path: KeyPath, entry: Mapping[str, Any], sample: object) -> Iterator[Disagreement]:
    """Yield a batch that is larger than the training split."""
    n_train = _map(raw.samples, str(sample)).get("n_train")
    yield from batch_above(path, _map(entry, "recipe"), n_train, f"the n_train of sample {sample}")


def batch_above(path: KeyPath, recipe: object, n_train: object, what: str) -> Iterator[Disagreement]:
    """Yield a batch of more rows than `n_train` texts, as `what` says, make: texts, or the pairs of an objective."""
    given = recipe if isinstance(recipe, Mapping) else {}
    batch, is_on_pairs = given.get("batch"), given.get("objective") is not None
    n_pairs = _map(given, "objective").get("n_pairs", Contrastive().n_pairs) if is_on_pairs else 1
    if not (isinstance(batch, int) and isinstance(n_train, int) and isinstance(n_pairs, int)):
        return
    if batch > n_train * n_pairs:
        times = f" times n_pairs, {n_pairs}," if is_on_pairs else ""
        yield path, f"must be at most {what}, {n_train},{times} but got {batch}"


def empty_splits(
    raw: RawParams, what: str, sample: object, splits: Iterable[str], compared_on: str = "test"
) -> Iterator[Disagreement]:
    """Yield numbers of rows that are too few to score the fits of `what`: where they are compared it takes two."""
    for place, spec in raw.drawn(sample):
        for split in dict.fromkeys(splits):
            n, fewest = spec.get(f"n_{split}"), 1 if split == compared_on else 0
            if n in range(fewest + 1):
                message = f"must be above {fewest}, since {what} is scored on these rows, but got {n}"
                yield (*place, f"n_{split}"), message


def unsuitable_metric(raw: RawParams, path: KeyPath, metric: object, *samples: object) -> Iterator[Disagreement]:
    """Yield a metric that is not for the labels of its samples, once for the first of them."""
    for sample in samples:
        kind = raw.problem_type(sample)
        if kind and not suits(metric, kind):
            suited = " or ".join(metrics_for(kind))
            yield path, f"must be {suited}, as the labels of sample {sample} are {LABELS[kind]}, but got {metric}"
            return


def unsuitable_objective(
    raw: RawParams, path: KeyPath, entry: Mapping[str, Any], sample: object
) -> Iterator[Disagreement]:
    """Yield an objective on pairs of equal classes where the labels are no classes."""
    yield from _for_classes_alone(raw, path, _map(entry, "recipe").get("objective"), sample)


def unsuitable_classes(
    raw: RawParams, path: KeyPath, entry: Mapping[str, Any], sample: object
) -> Iterator[Disagreement]:
    """Yield what a recipe says of uneven classes where the labels are no classes."""
    recipe = _map(entry, "recipe")
    yield from _for_classes_alone(raw, (*path, "class_weights"), recipe.get("class_weights"), sample)
    sampling = None if recipe.get("class_sampling") == "natural" else recipe.get("class_sampling")
    yield from _for_classes_alone(raw, (*path, "class_sampling"), sampling, sample)


def _for_classes_alone(raw: RawParams, path: KeyPath, value: object, sample: object) -> Iterator[Disagreement]:
    kind = raw.problem_type(sample)
    if value is not None and kind not in (None, "classification"):
        yield path, f"must be absent, as the labels of sample {sample} are {LABELS[kind]}"


def without_classes(raw: RawParams, path: KeyPath, sample: object) -> Iterator[Disagreement]:
    """Yield a sample whose labels are no classes, where an experiment counts errors."""
    kind = raw.problem_type(sample)
    if kind not in (None, "classification"):
        labels = LABELS[kind]
        yield path, f"must have labels that are classes, since errors are counted, but those of {sample} are {labels}"


def drawn_by_class(raw: RawParams, path: KeyPath, sample: object) -> Iterator[Disagreement]:
    """Yield a sample whose rows have several classes, where an experiment draws its texts anew by class."""
    if raw.problem_type(sample) == "multi_label":
        several = LABELS["multi_label"]
        yield path, f"must have one label a row, since texts are drawn by class, but {sample} has {several}"


def metric_of(entry: object) -> str | None:
    """Return the metric of an entry, accuracy where it names none; None where a recipe of several tasks has its own."""
    if not isinstance(entry, dict) or has_tasks(entry):
        return None
    metric = entry.get("metric", "accuracy")
    return metric if isinstance(metric, str) else None


def has_tasks(entry: Mapping[str, Any]) -> bool:
    """Say whether an entry's recipe is one for several tasks."""
    return _map(entry, "recipe").get("tasks") is not None


def names_in(section: object, key: str) -> list[str]:
    """Return the names in a list of a section; none where it is no list."""
    given = section.get(key) if isinstance(section, Mapping) else None
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []


def _not_among(path: KeyPath, name: object, what: str, there: Mapping[str, Any]) -> Iterator[Disagreement]:
    if isinstance(name, str) and name not in there:
        names = ", ".join(there) or "none there"
        yield path, f"must be {what} ({names}), but got {name}{did_you_mean(name, there)}"


def _map(section: object, key: str) -> dict[str, Any]:
    value = section.get(key) if isinstance(section, Mapping) else None
    return value if isinstance(value, dict) else {}

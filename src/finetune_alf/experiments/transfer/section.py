"""The section `transfer` of params.yaml, checked against the other sections."""

from collections.abc import Iterator

from finetune_alf.experiments.scheme_checks import all_linear, contrastive_on_scores, refused_by_recipe, renamed
from finetune_alf.experiments.transfer.spec import DEFAULT_SCHEMES, TransferSpec
from finetune_alf.metric_names import LABELS
from finetune_alf.params.checks import Disagreement, RawParams, empty_splits, metric_of, names_in, unknown_each
from finetune_alf.params.label_kinds import suits
from finetune_alf.params.section import Section


def _check(raw: RawParams) -> Iterator[Disagreement]:
    transfer, studies = raw.section("transfer"), raw.section("studies")
    named = names_in(transfer, "studies")
    for key in ("studies", "samples"):
        yield from unknown_each(raw, ("transfer", key), transfer.get(key), key)
    for name, spec in raw.entries("studies"):
        if name in named and raw.tasks(spec.get("sample")):
            yield ("transfer", "studies"), f"must name studies of one task, but that of {name} is a mixture of several"
    yield from renamed(transfer.get("schemes"))
    for study in named:
        yield from refused_by_recipe(raw, transfer.get("schemes"), study, DEFAULT_SCHEMES)
    splits = ("test",) if all_linear(transfer.get("schemes")) else ("validation", "test")
    for index, sample in enumerate(names_in(transfer, "samples")):
        kind = raw.problem_type(sample)
        yield from contrastive_on_scores(raw, ("transfer", "samples", index), transfer.get("schemes"), sample)
        yield from empty_splits(raw, "transfer", sample, splits if named else ())
        for study in named:
            metric = metric_of(studies.get(study)) or ""
            if not suits(metric, raw.problem_type(raw.sample_of(study))):
                continue  # the study's own metric is the fault, which has its message
            if kind and not suits(metric, kind):
                yield (
                    ("transfer", "samples", index),
                    f"must have labels for the {metric} of study {study}, but those of {sample} are {LABELS[kind]}",
                )


SECTION: Section[TransferSpec] = Section("transfer", TransferSpec, TransferSpec, _check)

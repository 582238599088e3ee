"""The fitted classifier in MLflow: a version of a registered model, with the tags that say where it comes from."""

from collections.abc import Iterator

from finetune_alf.classifier.registered import register_classifier
from finetune_alf.experiments.fit.document import FitDocument, UsedSchedule
from finetune_alf.experiments.scheme_spec import AnyScheme, RegisteredScheme, ScheduleScheme
from finetune_alf.experiments.scheme_table import SchemeInputs
from finetune_alf.register.lock import read_lock
from finetune_alf.report.numbers import estimate, score
from finetune_alf.report.section import code
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import Runs, commit_tag
from finetune_alf.schedules.reference import is_registered
from finetune_alf.schedules.registry import Registry


def used_schedule(ctx: Context, study: str, scheme: AnyScheme, inputs: SchemeInputs, uri: str) -> UsedSchedule | None:
    """Return which schedule a scheme takes, with its version where it is registered; None for other schemes."""
    if isinstance(scheme, RegisteredScheme):
        lock = read_lock(ctx.paths.schedules(study))
        found = lock.schedules[scheme.kind]
        name, digest = found.schedule.name, found.digest
        return UsedSchedule(name=name, digest=digest, model=lock.model, version=found.version)
    if not isinstance(scheme, ScheduleScheme):
        return None
    schedule, pulled = inputs.schedules[scheme.of], None
    if is_registered(scheme.of):
        pulled = Registry(uri).pull(scheme.of)
    return UsedSchedule(
        name=schedule.name,
        digest=schedule.digest,
        model=pulled.model if pulled else None,
        version=pulled.version if pulled else None,
    )


def register_fit(ctx: Context, document: FitDocument, runs: Runs) -> int:
    """Register the classifier of a document as a version of its model, unless it is one; return the version."""
    return register_classifier(
        runs.tracker,
        runs.parent_id,
        ctx.paths.root / document.folder,
        document.model,
        document.alias,
        metrics={f"test.{document.metric}": document.score.mean},
        tags=dict(_tags(document)),
        description=version_description(document),
    )


def version_description(document: FitDocument) -> str:
    """Return the description of a version, in Markdown: what it was fitted on, what it scores, how it is used."""
    calibration, texts = document.calibration, document.n_texts
    ref = f"models:/{document.model}@{document.alias}"
    return "\n".join(
        [
            f"A classifier of {', '.join(map(code, document.label_names))}: {document.trained}, fitted by "
            f"`{document.scheme}` on {texts['train']:,} texts of `{document.sample.name}`.",
            "",
            f"* test {document.metric.replace('_', ' ')}: {estimate(document.score)}, on {texts['test']:,} texts",
            f"* one prediction for all: {score(document.majority_baseline)}",
            f"* calibration error: {score(calibration.error_after)}, before calibration "
            f"{score(calibration.error_before)}",
            "",
            f'`mlflow.pyfunc.load_model("{ref}").predict(["a text"])` applies it; `README.md` among its files is its '
            "model card.",
        ]
    )


def _tags(document: FitDocument) -> Iterator[tuple[str, str]]:
    """Yield the tags of a version; nothing in them depends on the machine's folders."""
    yield "alf.study", document.study
    yield "alf.scheme", document.scheme
    if document.kind != "tfidf":
        yield "alf.encoder", document.encoder.identity
    yield "alf.sample", document.sample.name
    yield "alf.sample.digest", document.sample.digest
    yield "alf.train_on", document.train_on
    yield "alf.seed", str(document.seed)
    yield "alf.metric", document.metric
    for name, value in (("", document.score.mean), (".low", document.score.low), (".high", document.score.high)):
        yield f"alf.score{name}", f"{value:.6g}"
    yield "alf.temperature", f"{document.calibration.temperature:.6g}"
    yield "alf.calibration_error", f"{document.calibration.error_after:.6g}"
    if schedule := document.schedule:
        yield "alf.schedule", schedule.name
        yield "alf.schedule.digest", schedule.digest
        if schedule.model and schedule.version:
            yield "alf.schedule.model", schedule.model
            yield "alf.schedule.version", str(schedule.version)
    yield from commit_tag(document.environments[0].environment.git_commit).items()

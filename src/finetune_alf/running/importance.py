"""Stage `importance`: how much each address's rate matters for the score."""

from pathlib import Path

from finetune_alf.checksums import digest
from finetune_alf.compute.environment import package_versions
from finetune_alf.errors import InputError
from finetune_alf.files import file_digest
from finetune_alf.json_files import read_json, write_json, write_plain_json
from finetune_alf.report.importance import ONE_RATE, first_place
from finetune_alf.report.numbers import score
from finetune_alf.report.views import importance_view
from finetune_alf.running.context import Context
from finetune_alf.running.dvc_files import importance_rows
from finetune_alf.study.documents import LayerImportance, first_address
from finetune_alf.study.importance import layer_importance
from finetune_alf.study.records import STUDY_FILE, read_study, read_trials


def importance(ctx: Context, name: str, *, again: bool = True) -> None:
    """Estimate the importance of each address in a finished study; writes a document and a figure.

    Where there is nothing to estimate from, the document says why, and the figure is empty: the stages that follow do
    not need it. Space and sampler are those that the study was run with. Unless it is to be done `again`, nothing is
    estimated where what is there was estimated from the same trials, by the same settings and versions.
    """
    ctx.study(name)  # names the studies that there are, where this is none
    with ctx.lock(f"importance-{name}"):
        record = ctx.paths.studies / f"importance-{name}.json"
        if again or not _is_done(ctx, name, record):
            document = _estimate(ctx, name)
            write_json(record, {"digest": _digest(ctx, name)})
        else:
            document = LayerImportance.read(ctx.paths.importance(name))
    ctx.console.log(f"{name}: {_in_short(document)}")


def _estimate(ctx: Context, name: str) -> LayerImportance:
    """Write the document, the figure and the rows of the plot, and return the document."""
    spec, folder = ctx.params.importance, ctx.paths.study_results(name)
    records, study = read_trials(folder / "trials.jsonl"), read_study(folder)
    with ctx.console.progress(f"importance {name}", spec.n_resamples) as bar:
        document = layer_importance(
            name,
            records,
            study.space,
            study.sampler,
            seed=spec.seed,
            n_enqueued=len(study.enqueue),
            n_resamples=spec.n_resamples,
            on_resample=bar.advance,
        )
        path = ctx.paths.importance(name)
        importance_view(document).picture.save(path.with_suffix(".png"))
        write_plain_json(ctx.paths.plot("importance", name), list(importance_rows(document)))
        document.write(path)
    return document


def _is_done(ctx: Context, name: str, record: Path) -> bool:
    """Return whether all is as the last estimate left it."""
    try:
        return record.exists() and read_json(record).get("digest") == _digest(ctx, name)
    except InputError:  # it is damaged
        return False


def _digest(ctx: Context, name: str) -> str:
    """Return the digest of all that an estimate reads and writes."""
    folder, document = ctx.paths.study_results(name), ctx.paths.importance(name)
    files = [folder / "trials.jsonl", folder / STUDY_FILE]
    files += [document, document.with_suffix(".png"), ctx.paths.plot("importance", name)]
    found = {path.relative_to(ctx.paths.root).as_posix(): file_digest(path) for path in files if path.exists()}
    return digest([ctx.params.importance.model_dump(mode="json"), package_versions(), found])


def _in_short(document: LayerImportance) -> str:
    if document.reason:
        return f"no importance is estimated, because {document.reason}."
    if document.is_of_one:
        return ONE_RATE
    shares = document.evaluators["fanova"]
    address = first_address(shares)
    share = shares[address]
    if not share.n_first:
        return first_place(document, "fanova")
    what = address if document.is_of_decay else f"the rate of {address}"
    return (
        f"{what} makes the largest part of the difference between trials, {score(share.mean)}, as "
        f"Optuna's method fANOVA estimates it; it is first in {share.n_first} of {document.n_resamples} draws from the "
        "trials."
    )

"""Stage `importance`: how much each address's rate matters for the score."""

from finetune_alf.figures import importance_bars
from finetune_alf.files import write_bytes
from finetune_alf.running.context import Context
from finetune_alf.study.importance import layer_importance
from finetune_alf.study.records import read_trials


def importance(ctx: Context, name: str) -> None:
    """Estimate the importance of each address in a finished study; writes a document and a figure."""
    spec, study = ctx.params.importance, ctx.study(name)
    records = read_trials(ctx.paths.study_results(name) / "trials.jsonl")
    with ctx.lock(f"importance-{name}"):
        document = layer_importance(name, records, study.space, seed=spec.seed, n_resamples=spec.n_resamples)
        path = ctx.paths.importance(name)
        write_bytes(path.with_suffix(".png"), importance_bars(document.as_json()["evaluators"]))
        document.write(path)
    address, share = max(document.evaluators["fanova"].items(), key=lambda item: item[1].mean)
    ctx.console.log(
        f"{name}: by fANOVA the most important rate is that of {address}, with a share of {share.mean:.2f}."
    )

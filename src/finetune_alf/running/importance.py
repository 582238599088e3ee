"""Stage `importance`: which layers' rates decide the score."""

from finetune_alf.figures import importance_bars
from finetune_alf.files import write_bytes, write_json
from finetune_alf.running.context import Context
from finetune_alf.study.importance import layer_importance
from finetune_alf.study.records import read_trials


def importance(ctx: Context, name: str) -> None:
    """Estimate the importance of each address in a finished study; writes a record and a figure."""
    spec, study = ctx.params.importance, ctx.study(name)
    records = read_trials(ctx.paths.study_results(name) / "trials.jsonl")
    with ctx.lock(f"importance-{name}"):
        record = layer_importance(name, records, study.space, seed=spec.seed, n_resamples=spec.n_resamples)
        value = record.model_dump(mode="json")
        path = ctx.paths.importance(name)
        write_bytes(path.with_suffix(".png"), importance_bars(value["evaluators"]))
        write_json(path, value)
    first = max(value["evaluators"]["fanova"].items(), key=lambda entry: entry[1]["mean"])
    ctx.console.log(f"{name}: fANOVA gives {first[0]} the largest share, {first[1]['mean']:.2f}.")

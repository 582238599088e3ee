"""Multi-task experiments that never ran, for what reads their files."""

from fake_comparisons import compared
from fake_results import ENVIRONMENT, SHARES
from finetune_alf.comparison import SeedsScore
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.experiments.multitask.cells import MultitaskLine
from finetune_alf.experiments.multitask.document import CellResult, CellScores, MultitaskDocument, TaskScore
from finetune_alf.json_files import write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.rates import FrozenBelow
from finetune_alf.recipe import Recipe, TasksSpec
from finetune_alf.stats import NO_EVIDENCE
from finetune_alf.train.result import EpochMetrics

METRICS = {"sst5": "accuracy", "sts": "pearson"}
TASKS = TasksSpec.model_validate(
    {"sampling": {"kind": "tempered", "power": 0.3}, "each": {"sts": {"pairs": "apart", "n_layers": 2}}}
)
RECIPE = Recipe(rates=FrozenBelow(n_frozen=1, rate=2e-5), epochs=2, batch=8, max_tokens=16, keep="best", tasks=TASKS)
VARY = {
    "all": {"rates": {"kind": "uniform", "rate": 2e-5}},
    "top-2": {},
    "dropout-0.3": {"tasks": {"heads": {"dropout": 0.3}}},
    "lost": {"epochs": 9},
}


def cell(mean, seconds, gap=None):
    """A cell's row; `gap` is its difference from the baseline, which kept 90 % of its score."""
    ends = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "sd_seeds": 0.01}
    scores = CellScores(
        overall=SeedsScore(**ends),
        tasks={task: TaskScore(metric=metric, **ends) for task, metric in METRICS.items()},
        validation=mean + 0.02,
        kept_epoch=1.0,
        seconds=seconds,
        n_trainable_parameters=110_000_000 if gap is None else 14_000,
    )
    difference = (
        None
        if gap is None
        else compared(
            gap,
            0.001 if gap < 0 else 0.4,
            p_holm=0.002 if gap < 0 else 0.4,
            verdict="worse" if gap < 0 else NO_EVIDENCE,
        )
    )
    return CellResult(
        n_seeds=5,
        n_diverged=0,
        n_parameters=110_000_000,
        scores=scores,
        time_saved=None if gap is None else 1 - seconds / 100,
        score_kept=None if gap is None else 0.9,
        difference=difference,
    )


LOST = CellResult(n_seeds=0, n_diverged=2, n_parameters=110_000_000, scores=None)
CELLS = {"all": cell(0.7, 100.0), "top-2": cell(0.63, 48.0, -0.07), "dropout-0.3": cell(0.71, 98.0, 0.01), "lost": LOST}


def document(name, cells, n_seeds=5, metrics=METRICS):
    """The document of an experiment."""
    return MultitaskDocument(
        name=name,
        encoder=EncoderIdentity(name="tiny", identity="random:00ff", n_layers=2),
        sample=SampleIdentity(
            name="mix", digest="0" * 64, counts={"train": {"sst5": 8000, "sts": 600}, "test": {"sst5": 200, "sts": 100}}
        ),
        recipe=RECIPE,
        vary={cell: VARY[cell] for cell in cells},
        baseline=next(iter(cells)),
        score_on="test",
        n_seeds=n_seeds,
        n_texts={"sst5": 200, "sts": 100},
        metrics=metrics,
        majority_baselines={"sst5": 0.286, "sts": 0.0, "overall": 0.393},
        environments=SHARES,
        cells=cells,
    )


def line(name, seed, scores):
    """A cell with these validation scores by epoch."""
    return MultitaskLine(
        cell=name,
        seed=seed,
        score=0.7,
        loss=0.5,
        seconds=9.0,
        stopped="epochs",
        n_trainable_parameters=10,
        frozen_dropout="on",
        epochs=tuple(
            EpochMetrics(
                epoch=epoch,
                train_loss=1.0,
                validation_loss=1.0,
                validation_accuracy=None,
                validation_score=score,
                tasks={"sst5": score, "sts": score + 0.1} if score else None,
                seconds=1.0,
                ended_ms=0,
            )
            for epoch, score in enumerate(scores)
        ),
        environment=ENVIRONMENT,
        kept_epoch=1,
        n_steps=10,
        tasks={},
        rates={},
    )


ALONE = {"all": cell(0.75, 40.0)}
DOCUMENTS = (
    document("alone", ALONE, metrics={"sts": "pearson"}),
    document("shape", CELLS),
    document("void", {"lost": LOST}, n_seeds=1),
)
LINES = (
    line("all", 1, (0.5, 0.6, 0.7)),
    line("all", 2, (0.3, None)),
    *(line(name, seed, (0.4, 0.5)) for name in ("top-2", "dropout-0.3") for seed in (1, 2)),
)


def write_experiments(paths: Paths) -> None:
    """Write them as the stage does."""
    for written, lines in zip(DOCUMENTS, ((), LINES, ()), strict=True):
        written.write(paths.document("multitask", written.name))
        write_jsonl(paths.cells("multitask", written.name), [each.as_json() for each in lines])

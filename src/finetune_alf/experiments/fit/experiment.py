"""Classifiers for use as an experiment of the registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params import Params
    from finetune_alf.running.context import Context


class FitExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `fit`, whose names are those of studies."""

    key: ClassVar[str] = "fit"
    arguments: ClassVar[tuple[str, ...]] = ("study",)
    help: ClassVar[Help] = Help(
        short="Fit a classifier for use, and save it.",
        long="Fine-tune the encoder of a study on its training texts, calibrate its probabilities on the validation "
        "texts, score it on the test texts, save it in models/STUDY, and register it in MLflow. The scheme is the one "
        "that the report recommends, or `fit.STUDY.scheme`. Where that classifier is saved already, nothing is "
        "fitted.\n\nWith SCHEME, such as baseline, uniform, probe, alf-1 or a schedule, it is a classifier beside that "
        "one, in models/STUDY.SCHEME. Without STUDY, and without --study, it is for all studies that params.yaml names "
        "under `fit`, or for the only one.\n\nFine-tuning and lora save a folder that transformers' pipeline loads, "
        "which names the same classes but where two are about as likely; not so probe, contrastive, tfidf, houlsby, "
        "nor a recipe with `pooling: mean` or `truncation: head_tail`: `finetune-alf predict` takes them all.",
        example="probe --study minilm",
    )

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Fit the classifier of a study, or one by the scheme that comes second, and say first what is fitted."""
        with ctx.lock(self.lock(arguments[0])):
            from finetune_alf.experiments.fit.opening import checks_line, opening_line

            ctx.console.log(opening_line(ctx, *arguments))
            ctx.console.doing(checks_line(ctx, *arguments))
            from finetune_alf.experiments.fit.stage import fit

            fit(ctx, *arguments)

    def samples(self, params: "Params", *arguments: str) -> Sequence[str]:
        """Return the sample of the study."""
        return (params.studies[arguments[0]].sample,)


FIT = FitExperiment()

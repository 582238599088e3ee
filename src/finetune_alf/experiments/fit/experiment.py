"""Classifiers for use as an experiment of the registry."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params import Params


class FitExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `fit`, whose names are those of studies."""

    key: ClassVar[str] = "fit"
    arguments: ClassVar[tuple[str, ...]] = ("study",)
    help: ClassVar[Help] = Help(
        short="Fit a classifier for use, and save it.",
        long="Fine-tune the encoder of STUDY on its training texts by the scheme that the report recommends, or by "
        "`fit.STUDY.scheme`, calibrate its probabilities on the validation texts, score it on the test texts, and save "
        "it in models/STUDY; without a name, for all that params.yaml names under `fit`.\n\nWhere that classifier is "
        "saved already, nothing is fitted.",
        example="minilm",
    )

    def samples(self, params: "Params", *arguments: str) -> Sequence[str]:
        """Return the sample of the study."""
        return (params.studies[arguments[0]].sample,)


FIT = FitExperiment()

"""Further pre-training as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class AdaptExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `adapt`."""

    key: ClassVar[str] = "adapt"
    help: ClassVar[Help] = Help(
        short="Pre-train an encoder further on the texts of a task.",
        long="Pre-train the encoder of adaptation NAME further, on unlabelled texts; without a name, all of them.\n\n"
        "Run the same command again to resume the comparison; interrupted training starts again.",
        example="imdb",
    )
    before_studies: ClassVar[bool] = True


ADAPT = AdaptExperiment()

"""Error against steps as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class ForgettingExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `forgetting`."""

    key: ClassVar[str] = "forgetting"
    help: ClassVar[Help] = Help(
        short="Draw the error against the step, by learning rate.",
        long="Fine-tune at each rate of entry NAME, also at rates that cause catastrophic forgetting, and score the "
        "validation split every so many steps; without a name, for all entries.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="minilm",
    )


FORGETTING = ForgettingExperiment()

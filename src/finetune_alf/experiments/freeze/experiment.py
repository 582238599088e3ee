"""Freeze sweeps as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class FreezeExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `freeze`."""

    key: ClassVar[str] = "freeze"
    help: ClassVar[Help] = Help(
        short="Measure how many layers must be trained.",
        long="Freeze the encoder of sweep NAME layer by layer, from the embeddings up; without a name, all sweeps.\n\n"
        "Run the same command again to resume.",
        example="minilm",
    )


FREEZE = FreezeExperiment()

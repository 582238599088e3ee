"""Decay grids as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class DecayExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `decay`."""

    key: ClassVar[str] = "decay"
    help: ClassVar[Help] = Help(
        short="Try layer-wise decay of the rates, over a grid.",
        long="Fine-tune with each rate and each decay factor of grid NAME, and score the test split; without a name, "
        "for all grids.\n\nRun the same command again to resume: only missing fits are done.",
        example="minilm",
    )


DECAY = DecayExperiment()

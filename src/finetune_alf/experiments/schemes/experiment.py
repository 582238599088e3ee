"""Testbeds of fine-tuning schemes as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class SchemesExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `schemes`."""

    key: ClassVar[str] = "schemes"
    help: ClassVar[Help] = Help(
        short="Compare fine-tuning schemes side by side.",
        long="Fine-tune under each scheme, adapter and curve of testbed NAME; without a name, of all of them.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="testbed",
    )


SCHEMES = SchemesExperiment()

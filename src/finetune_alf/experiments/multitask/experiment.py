"""Multi-task fine-tuning as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class MultitaskExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `multitask`."""

    key: ClassVar[str] = "multitask"
    help: ClassVar[Help] = Help(
        short="Fit one encoder to several tasks at once.",
        long="Fit one encoder, a head for each task, under every recipe of experiment NAME; without a name, of all.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="unfreeze",
    )

    def lock(self, *arguments: str) -> str:
        """Return the lock of all entries: they share one ledger."""
        return self.key


MULTITASK = MultitaskExperiment()

"""Schemes by number of texts as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class LabelsExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `labels`."""

    key: ClassVar[str] = "labels"
    help: ClassVar[Help] = Help(
        short="Compare schemes by the number of labelled texts.",
        long="Fit every scheme of entry NAME on several numbers of training texts, drawn anew for each seed, and "
        "estimate what more texts are worth, and how many a scheme is worth; without a name, for all entries.\n\n"
        "Run the same command again to resume: only missing fits are done.",
        example="minilm",
    )


LABELS = LabelsExperiment()

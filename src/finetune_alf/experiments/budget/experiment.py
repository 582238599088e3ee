"""Searches at equal budgets as an experiment of the registry."""

from typing import ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment


class BudgetExperiment(NamedExperiment):
    """Runs, plans and reports the entries of `budget`."""

    key: ClassVar[str] = "budget"
    help: ClassVar[Help] = Help(
        short="Compare a search over layers with simpler searches, at equal budgets.",
        long="Search the rates of every layer, a single rate, and a rate with layer-wise decay, with as many fits "
        "each, on fresh draws of the samples of budget NAME; without a name, of all.\n\n"
        "Stop it with Ctrl-C, and run the same command again to go on: finished replicates are kept, and a replicate "
        "that was interrupted goes on with the fits that it has.",
        example="small",
    )


BUDGET = BudgetExperiment()

"""Searches at equal budgets as an experiment of the registry."""

from typing import TYPE_CHECKING, Any, ClassVar

from finetune_alf.experiments.experiment import Help, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.params.section import Section
    from finetune_alf.paths import Paths
    from finetune_alf.planning.planned import PlannedFits
    from finetune_alf.report.part import Part
    from finetune_alf.running.context import Context


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

    @property
    def section(self) -> "Section[Any]":
        """Its section of params.yaml."""
        from finetune_alf.experiments.budget.section import SECTION

        return SECTION

    def run(self, ctx: "Context", *arguments: str) -> None:
        """Do the replicates of an entry that are not kept yet."""
        from finetune_alf.experiments.budget.stage import budget

        budget(ctx, *arguments)

    def planned(self, ctx: "Context", name: str) -> "PlannedFits":
        """Return the fits of the replicates that are not kept yet."""
        from finetune_alf.experiments.budget.planned import budget_planned

        return budget_planned(ctx, name)

    def part(self, paths: "Paths") -> "Part | None":
        """Return the part of the report about all budgets that have run."""
        from finetune_alf.experiments.budget.page import budget_part

        return budget_part(paths)


BUDGET = BudgetExperiment()

"""The cells of a testbed: every combination on every sample under every seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.rules import changes
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import HEAD, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class Cell:
    """One combination on one sample under one of the seeds."""

    sample: str
    combination: Combination
    recipe: Recipe
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.sample}/{self.combination.name}/seed-{self.index}"


def cells(
    spec: SchemesSpec, combinations: Sequence[Combination], schedules: Mapping[str, Schedule], n_layers: int
) -> list[Cell]:
    """Return the cells of some combinations in order; the seeds are the same for all combinations and samples.

    Raises what `recipe_of` does.
    """
    return [
        Cell(sample, combination, recipe, index, child_seed(spec.seed, "schemes", index))
        for sample in spec.samples
        for combination in combinations
        for recipe in [recipe_of(spec, combination, sample, schedules, n_layers)]
        for index in range(spec.n_seeds)
    ]


def recipe_of(
    spec: SchemesSpec, combination: Combination, sample: str, schedules: Mapping[str, Schedule], n_layers: int
) -> Recipe:
    """Return a combination as one recipe: rates, optimizer and unfreezing of its scheme, its adapter and its curve.

    Raises ScheduleError for a schedule of another depth than the encoder's, InputError where an adapter has no layer
    that learns, and where the rates of a schedule are not allowed or let nothing learn.
    """
    common = spec.recipe
    if combination.adapter is not None and spec.adapter_rate is not None:
        rates = UniformRates(rate=spec.adapter_rate, head=common.rates.at(n_layers)[HEAD])
        common = common.model_copy(update={"rates": rates})
    changed = {
        "epochs": spec.epochs_of(sample),
        "adapter": combination.adapter,
        "curve": combination.curve,
        **changes(combination.scheme, common, schedules, n_layers, stretch=spec.stretch, rescale=spec.rescale),
    }
    recipe = _checked(common.model_copy(update=changed), combination)
    if recipe.adapter is not None and not any(recipe.rates.at(n_layers).layers):
        raise InputError(
            f"schemes: an adapter must have a layer that learns, but {combination.name} has none: an adapter learns at "
            "the rate of its layer, and the schedule freezes all layers. Leave out the adapter or the schedule."
        )
    return recipe


def _checked(recipe: Recipe, combination: Combination) -> Recipe:
    """Return a recipe whose fields agree; InputError, naming the combination, where they do not."""
    try:
        return Recipe.model_validate(recipe.model_dump())
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ").rstrip(".")
        raise InputError(f"schemes: {combination.name}: {reason}. Or leave the combination out.") from None


def cell_job(cell: Cell, spec: SchemesSpec, encoder: EncoderSpec, sample_digest: str, precision: Precision) -> FitJob:
    """Return a cell as a job."""
    return FitJob(cell.key, cell.recipe, encoder, sample_digest, cell.seed, precision, spec.score_on, spec.metric)


class SchemesLine(CellLine):
    """A cell's line in the results."""

    sample: str
    scheme: str
    adapter: str
    curve: str
    accuracy: float | None
    n_steps: int
    rates: dict[str, float]


def cell_line(cell: Cell, result: RecordedFit, n_layers: int) -> SchemesLine:
    """Return a cell's line in the results."""
    return SchemesLine(
        sample=cell.sample,
        scheme=cell.combination.scheme,
        adapter=cell.combination.adapter_name,
        curve=cell.combination.curve.kind,
        seed=cell.seed,
        accuracy=result.accuracy,
        n_steps=result.n_steps,
        rates={str(address): rate for address, rate in cell.recipe.rates_at(n_layers).items()},
        **fields_of(result),
    )

"""`finetune-alf anatomy`: what lies at each address of an encoder, and how fast it would learn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.checksums import with_short_digests
from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo, echo_at_once, json_option, print_json, wants_json
from finetune_alf.cli.project import read_params, root_option, store_uri
from finetune_alf.errors import InputError, ParamsError

if TYPE_CHECKING:
    from finetune_alf.encoder.encoder import Encoder
    from finetune_alf.rates import Address, LayerRates, Movement
    from finetune_alf.recipe import Recipe

N_STEPS = 1000
"""The steps over which an address that is not frozen may still barely move."""


@click.command(
    short_help="Print what lies at each address, and its rate.",
    epilog="Example: finetune-alf anatomy minilm --schedule alf-mine.minilm@alf-1",
)
@click.argument("study", required=False)
@click.option("--schedule", metavar="REF", help="Rates of a schedule (a published name, FILE.json, MODEL@ALIAS).")
@click.option("--classes", type=click.IntRange(2), default=2, show_default=True, help="Classes of the head.")
@json_option
@root_option
def anatomy(study: str | None, schedule: str | None, classes: int, root: Path) -> None:
    """Print address, parameters, rate, and open, barely moving or frozen, for encoder and baseline rates of STUDY.

    Without a name, for the first study.
    """
    from finetune_alf.params.section import entry

    params = read_params(root)
    name = study or next(iter(params.studies), None)
    if name is None:
        raise ParamsError("anatomy: params.yaml has no study to take encoder and rates from. Add one.")
    with about("study"):
        spec = entry("studies", params.studies, name)
    echo_at_once(f"anatomy {name}: loading PyTorch and the encoder {spec.encoder}")
    from finetune_alf.encoder.adapters.inject import with_adapter
    from finetune_alf.encoder.load import load_encoder
    from finetune_alf.encoder.locate import resolve_folder

    encoder = load_encoder(resolve_folder(root, params.encoders[spec.encoder]), classes)
    if spec.recipe.adapter is not None:
        encoder = with_adapter(encoder, spec.recipe.adapter)
    rates = _scheduled(schedule, root, encoder.n_layers) if schedule else spec.recipe.rates.at(encoder.n_layers)
    rows = _rows(encoder, spec.recipe, encoder.anatomy.rates(rates))
    if wants_json():
        print_json({"encoder": spec.encoder, "identity": encoder.identity, "addresses": [asdict(row) for row in rows]})
        return
    echo(f"{spec.encoder}: {with_short_digests(encoder.identity)}")
    for line in _table(rows):
        echo(line)


def _scheduled(ref: str, root: Path, n_layers: int) -> "LayerRates":
    from finetune_alf.schedules.pull import pull

    store = store_uri(root) if "@" in ref else None
    with about("--schedule", InputError):
        return pull(ref, store).for_depth(n_layers)


@dataclass(frozen=True)
class _Row:
    """An address, its parameters, its rate, and how it learns: open, barely moves, or frozen."""

    address: str
    n_parameters: int
    rate: float
    state: str


def _rows(encoder: "Encoder", recipe: "Recipe", rates: "Mapping[Address, float]") -> list[_Row]:
    from finetune_alf.encoder.movement import mean_sizes
    from finetune_alf.recipe import movements

    moves = movements(recipe, rates, N_STEPS, mean_sizes(encoder))
    sizes = {name: parameter.numel() for name, parameter in encoder.model.named_parameters()}
    return [
        _Row(str(address), sum(sizes[name] for name in names), rates[address], _state(moves[address]))
        for address, names in encoder.anatomy.parameters.items()
    ]


def _table(found: Sequence[_Row]) -> list[str]:
    from finetune_alf.rates import setting_text

    total = sum(row.n_parameters for row in found)
    n_open = sum(row.n_parameters for row in found if row.rate)
    rows = [("address", "parameters", "rate", "")]
    rows += [(row.address, f"{row.n_parameters:,}", setting_text(row.rate), row.state) for row in found]
    rows.append(("all", f"{total:,}", "", f"{n_open / total:.1%} open"))
    return [f"{address:<12}{count:>14}{rate:>10}  {state}".rstrip() for address, count, rate, state in rows]


def _state(movement: "Movement") -> str:
    if movement.word == "barely moves":
        return f"{movement.word} in {N_STEPS:,} steps"
    return "open" if movement.rate else "frozen"

"""The file of finished replicates: read, appended to, and looked up by identity."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.experiments.budget.line import ReplicateLine
from finetune_alf.experiments.budget.replicates import KEY, Replicate
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.json_files import read_jsonl, write_jsonl
from finetune_alf.paths import Paths


def store(paths: Paths, name: str, spec: BudgetSpec) -> Path:
    """Return the file of finished replicates: in the folder `keep`, where the params name one, or beside the ledgers.

    It holds those of other params too; results/ has those of the present ones.
    """
    if spec.keep is None:
        return paths.studies / f"{KEY}-{name}.replicates.jsonl"
    return Paths(paths.root, spec.keep).cells(KEY, name)


def read_replicates(path: Path) -> dict[str, ReplicateLine]:
    """Return the replicates of a file by identity; of two with one identity, the earlier.

    Raises InputError, naming file and line, for a line that is no replicate.
    """
    lines = ReplicateLine.read_lines(path) if path.exists() else ()
    found: dict[str, ReplicateLine] = {}
    for line in lines:
        found.setdefault(line.identity, line)
    return found


def keep_replicate(path: Path, line: ReplicateLine) -> None:
    """Add a finished replicate to a file, which is written anew, so that a kill leaves no part of a line."""
    before = read_jsonl(path) if path.exists() else []
    write_jsonl(path, [*before, line.as_json()])


def lines_of(found: dict[str, ReplicateLine], replicates: Sequence[Replicate]) -> list[ReplicateLine]:
    """Return the lines of the replicates that are finished, in this order.

    The name of a sample changes no replicate: a line has the present one, whatever it was when the replicate was done.
    """
    finished = [each for each in replicates if each.identity in found]
    return [found[each.identity].model_copy(update={"sample": each.sample.name}) for each in finished]

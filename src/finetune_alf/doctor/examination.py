"""The order of an examination: the machine first, then what the project keeps, then what is stale."""

from collections.abc import Iterator

from finetune_alf.compute.spec import ComputeSpec
from finetune_alf.doctor.finding import Finding
from finetune_alf.doctor.folders import locks, space
from finetune_alf.doctor.installation import devices, versions
from finetune_alf.doctor.stages import stale_stages
from finetune_alf.doctor.stores import mlflow_store
from finetune_alf.doctor.studies import studies
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context


def examine(paths: Paths, uri: str | None, context: Context | None) -> Iterator[Finding]:
    """Yield everything that is found, in the order of the table: without valid params neither store nor studies."""
    yield from versions()
    yield from devices(context.params.compute if context else ComputeSpec())
    yield from space(paths)
    if uri:
        yield from mlflow_store(uri)
    yield from locks(paths)
    if context:
        yield from studies(context)
    yield from stale_stages(paths)

"""The registry: schedules as versions of MLflow's registered models, found by alias, known by digest.

A schedule is a JSON artifact of a run (`artifact`); a version points at it and carries its digest as a tag.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finetune_alf.errors import AlfError, ScheduleError
from finetune_alf.schedules.artifact import fetch, upload
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.tracking.store import open_store, scrubbed, shown, told

DIGEST_TAG = "alf.digest"
NAME_TAG = "alf.schedule"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True)
class Version:
    """A registered version of a schedule, and the aliases that point at it."""

    model: str
    version: int
    digest: str
    run_id: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Pulled:
    """A schedule with the version it came from."""

    schedule: Schedule
    model: str
    version: int
    run_id: str
    digest: str


class Registry:
    """The registered schedules of one MLflow store, by its absolute URI (`tracking.store.tracking_uri`)."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._opened: dict[bool, Any] = {}

    def register(self, model: str, schedule: Schedule, alias: str, run_id: str) -> Version:
        """Make a schedule a version of `model` under an alias, as an artifact of a run.

        A version with the same digest that can still be read is used again. The upload is read back and its digest
        compared before a version points at it, so that an interruption leaves nothing visible.
        """
        _check_names(model, alias)
        client = self._client(create=True)
        with told(self.uri):
            self._ensure_model(client, model)
            version = self._same(client, model, schedule.digest)
            if version is None:
                source = upload(client, schedule, run_id, self.uri)
                # The upload may have put back the missing file of a version that is there.
                version = self._same(client, model, schedule.digest) or client.create_model_version(
                    model, source, run_id, tags={DIGEST_TAG: schedule.digest, NAME_TAG: schedule.name}
                )
            client.set_registered_model_alias(model, alias, str(version.version))
            return _version(client.get_model_version(model, version.version))

    def pull(self, ref: str) -> Pulled:
        """Return the schedule behind `model@alias`, its digest checked against the version's."""
        model, _, alias = ref.partition("@")
        _check_names(model, alias)
        client = self._client(create=False)
        with told(self.uri):
            found = self._resolve(client, model, alias)  # the version is fixed here, wherever the alias moves next
            schedule = self._read(client, found)
        return Pulled(schedule, model, int(found.version), found.run_id, schedule.digest)

    def list(self) -> tuple[Version, ...]:
        """Return all versions of all registered schedules, by model and version."""
        client = self._client(create=False)
        with told(self.uri):
            found = [
                _version(version)
                for model in _pages(client.search_registered_models)
                if _NAME.fullmatch(model.name)
                for version in _versions(client, model.name)
                if DIGEST_TAG in version.tags
            ]
        return tuple(sorted(found, key=lambda version: (version.model, version.version)))

    def _client(self, *, create: bool) -> Any:
        if create not in self._opened:
            self._opened[create] = open_store(self.uri, create=create)
        return self._opened[create]

    def _ensure_model(self, client: Any, model: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(model, description="Learning rates by layer, as JSON; made by finetune_alf.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _same(self, client: Any, model: str, digest: str) -> Any:
        """Return the oldest version with this digest whose file is still there; in a moved checkout it is not."""
        for version in sorted(_versions(client, model), key=lambda version: int(version.version)):
            if version.tags.get(DIGEST_TAG) == digest:
                try:
                    self._read(client, version)
                except AlfError:
                    continue
                return version
        return None

    def _resolve(self, client: Any, model: str, alias: str) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            found = client.get_model_version_by_alias(model, alias)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            there = ", ".join(f"{v.model}@{name}" for v in self.list() for name in v.aliases) or "no schedule at all"
            raise ScheduleError(
                f"{model}@{alias}: must be registered in {shown(self.uri)}, but there is {there}. {_way_out(model)}"
            ) from None
        if found.status != "READY":
            raise ScheduleError(f"{model}@{alias}: version {found.version} must be READY, but is {found.status}.")
        return found

    def _read(self, client: Any, version: Any) -> Schedule:
        where = f"{version.name} version {version.version}"
        expected = version.tags.get(DIGEST_TAG)
        if expected is None:
            raise ScheduleError(f"{where}: must be a schedule, but its version has no tag {DIGEST_TAG}.")
        source = client.get_model_version_download_uri(version.name, version.version)
        try:
            content = fetch(source, self.uri)
        except AlfError:
            raise
        except Exception as error:  # whatever the artifact store's libraries raise: it cannot be read there
            reason = scrubbed(" ".join(str(error).split()), self.uri)[:200] or type(error).__name__
            raise ScheduleError(
                f"{where}: must have its file at {shown(source)}, but got {reason}. MLflow keeps absolute "
                f"paths: after a checkout is moved or copied they point at nothing. {_way_out(version.name)}"
            ) from None
        schedule = Schedule.from_json(content, where)
        if schedule.digest != expected:
            raise ScheduleError(
                f"{where}: must have the digest {expected[:12]} it was registered with, but the file has "
                f"{schedule.digest[:12]}: it was changed. Nothing was applied. {_way_out(version.name)}"
            )
        return schedule


def _check_names(model: str, alias: str) -> None:
    """Refuse, before any file or server is touched, what could be read as a path."""
    for what, name in (("model", model), ("alias", alias)):
        if not _NAME.fullmatch(name):
            raise ScheduleError(
                f"{what}: must be 1 to 100 lower-case letters, digits, - or _, but got {name[:80]!r}. "
                "A registered schedule is named model@alias, as in alf-minilm@alf-1."
            )


def _way_out(model: str) -> str:
    study = model.removeprefix("alf-")
    return (
        f"Register it again: `finetune-alf register {study}`, or from the results alone, "
        f"`finetune-alf register {study} --from-lock`."
    )


def _version(version: Any) -> Version:
    digest = version.tags.get(DIGEST_TAG, "")
    return Version(version.name, int(version.version), digest, version.run_id or "", tuple(sorted(version.aliases)))


def _versions(client: Any, model: str) -> Iterator[Any]:
    # get_model_version fills in the aliases, which a search leaves out.
    for found in _pages(lambda **page: client.search_model_versions(f"name = '{model}'", **page)):
        yield client.get_model_version(model, found.version)


def _pages(search: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=100, page_token=token)
        yield from page
        token = page.token
        if not token:
            return

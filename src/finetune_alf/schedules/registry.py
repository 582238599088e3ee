"""The schedule registry: schedules as versions of MLflow's registered models, found by alias, verified by digest.

A schedule is a JSON artifact of a run (`artifact.py`); its version points to the artifact and has the digest as a tag.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.crashpoint import crashpoint
from finetune_alf.errors import AlfError, ScheduleError
from finetune_alf.schedules.artifact import download_schedule, upload_schedule
from finetune_alf.schedules.names import MODEL, check_names, register_again
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.tracking.registered import all_pages, create_registered_model, versions_of
from finetune_alf.tracking.store import open_store, redact, redacted_uri, tracking_errors

DIGEST_TAG = "alf.digest"
NAME_TAG = "alf.schedule"

_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's error codes for a model, a version or an alias that is not there; the last one's is not the first."""


@dataclass(frozen=True)
class ScheduleVersion:
    """A registered version of a schedule, with its aliases; `problem` says why its file cannot be read."""

    model: str
    version: int
    digest: str
    run_id: str
    aliases: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True)
class PulledSchedule:
    """A schedule and the version that it was pulled from."""

    schedule: Schedule
    model: str
    version: int
    run_id: str
    digest: str


class Registry:
    """The registered schedules of an MLflow store, by its absolute URI (`tracking.store.tracking_uri`)."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._clients: dict[bool, Any] = {}

    def register(
        self,
        model: str,
        schedule: Schedule,
        alias: str,
        run_id: str,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> ScheduleVersion:
        """Register a schedule as a version of `model` under an alias, with its file as an artifact of a run.

        An existing version with the same digest and a readable file is reused. A new version is created after the
        upload was verified, so that an interrupted call leaves no version. `tags` and `description` are set on either.
        """
        check_names(model, alias)
        client = self._client(create=True)
        with tracking_errors(self.uri):
            create_registered_model(client, model, "Learning rates by layer, as JSON; created by finetune_alf.")
            version = self._find_version(client, model, schedule.digest)
            if version is None:
                source = upload_schedule(client, schedule, run_id, self.uri)
                crashpoint("version-before")
                # The upload may have restored the lost file of an existing version.
                version = self._find_version(client, model, schedule.digest) or client.create_model_version(
                    model, source, run_id, tags={DIGEST_TAG: schedule.digest, NAME_TAG: schedule.name}
                )
            crashpoint("version-after")
            for key, value in (tags or {}).items():
                client.set_model_version_tag(model, str(version.version), key, value)
            if description:
                client.update_model_version(model, str(version.version), description)
            client.set_registered_model_alias(model, alias, str(version.version))
            return _schedule_version(client.get_model_version(model, version.version))

    def remove_alias(self, model: str, alias: str) -> None:
        """Take an alias away, so that nothing is pulled by it; its version stays. Without the alias nothing happens."""
        check_names(model, alias)
        client = self._client(create=True)
        with tracking_errors(self.uri):
            if _found(client.get_model_version_by_alias, model, alias) is not None:
                client.delete_registered_model_alias(model, alias)

    def pull(self, ref: str) -> PulledSchedule:
        """Return the schedule of `model@alias`, its digest verified against the version's."""
        model, _, alias = ref.partition("@")
        check_names(model, alias)
        client = self._client(create=False)
        with tracking_errors(self.uri):
            version = self._resolve(client, model, alias)
            schedule = self._read(client, version)  # by version number: the alias may move meanwhile
        return PulledSchedule(schedule, model, int(version.version), version.run_id, schedule.digest)

    def pull_version(self, model: str, number: int, digest: str) -> PulledSchedule:
        """Return the version of this number if it has this digest, else another one with it, its digest verified.

        A registry that was filled again numbers its versions anew. Raises ScheduleError when no version has the digest.
        """
        check_names(model)
        client = self._client(create=False)
        with tracking_errors(self.uri):
            version = _found(client.get_model_version, model, str(number))
            if version is None or version.tags.get(DIGEST_TAG) != digest:
                version = self._find_version(client, model, digest)
            if version is None:
                raise ScheduleError(
                    f"{model} version {number}: must be registered in {redacted_uri(self.uri)} with the digest "
                    f"{digest[:12]}, but no version has it. {register_again(model)}"
                )
            schedule = self._read(client, version)
        return PulledSchedule(schedule, model, int(version.version), version.run_id, schedule.digest)

    def tags(self, ref: str) -> dict[str, str]:
        """Return the tags of the version of `model@alias`."""
        model, _, alias = ref.partition("@")
        check_names(model, alias)
        client = self._client(create=False)
        with tracking_errors(self.uri):
            return dict(self._resolve(client, model, alias).tags)

    def list(self) -> tuple[ScheduleVersion, ...]:
        """Return all versions of all registered schedules, by model and version; each one's file is read."""
        client = self._client(create=False)
        with tracking_errors(self.uri):
            versions = [
                _schedule_version(version, self._problem(client, version))
                for model in all_pages(client.search_registered_models)
                if MODEL.fullmatch(model.name)
                for version in _model_versions(client, model.name)
                if DIGEST_TAG in version.tags
            ]
        return tuple(sorted(versions, key=lambda version: (version.model, version.version)))

    def _problem(self, client: Any, version: Any) -> str | None:
        """Return why a version's file cannot be read, if so."""
        try:
            self._read(client, version)
        except AlfError as error:
            return str(error)
        return None

    def _client(self, *, create: bool) -> Any:
        if create not in self._clients:
            self._clients[create] = open_store(self.uri, create=create)
        return self._clients[create]

    def _find_version(self, client: Any, model: str, digest: str) -> Any:
        """Return the oldest version with this digest and a readable file."""
        for version in sorted(_model_versions(client, model), key=lambda version: int(version.version)):
            if version.tags.get(DIGEST_TAG) == digest and self._problem(client, version) is None:
                return version
        return None

    def _resolve(self, client: Any, model: str, alias: str) -> Any:
        version = _found(client.get_model_version_by_alias, model, alias)
        if version is None:
            registered = ", ".join(f"{v.model}@{name}" for v in self.list() for name in v.aliases) or "no schedules"
            raise ScheduleError(
                f"{model}@{alias}: must be registered in {redacted_uri(self.uri)}, but got {registered}. "
                f"{register_again(model)}"
            )
        if version.status != "READY":
            raise ScheduleError(
                f"{model}@{alias}: version {version.version} must have status READY, but got {version.status}."
            )
        return version

    def _read(self, client: Any, version: Any) -> Schedule:
        where = f"{version.name} version {version.version}"
        expected = version.tags.get(DIGEST_TAG)
        if expected is None:
            raise ScheduleError(f"{where}: must be a schedule, but its version has no tag {DIGEST_TAG}.")
        source = client.get_model_version_download_uri(version.name, version.version)
        try:
            content = download_schedule(source, self.uri)
        except AlfError:
            raise
        except Exception as error:  # artifact stores raise errors of many libraries
            reason = redact(" ".join(str(error).split()), self.uri)[:200] or type(error).__name__
            raise ScheduleError(
                f"{where}: cannot read its file at {redacted_uri(source)}: {reason}. "
                f"The file was deleted, or is out of reach here. {register_again(version.name)}"
            ) from None
        schedule = Schedule.from_json(content, where)
        if schedule.digest != expected:
            raise ScheduleError(
                f"{where}: must have the digest {expected[:12]} it was registered with, but the file has "
                f"{schedule.digest[:12]}: it was changed. {register_again(version.name)}"
            )
        return schedule


def _found(get: Callable[..., Any], *arguments: str) -> Any:
    """Return what MLflow finds, or None where it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        return get(*arguments)
    except MlflowException as error:
        if error.error_code not in _NOT_THERE:
            raise
        return None


def _schedule_version(version: Any, problem: str | None = None) -> ScheduleVersion:
    digest = version.tags.get(DIGEST_TAG, "")
    aliases = tuple(sorted(version.aliases))
    return ScheduleVersion(version.name, int(version.version), digest, version.run_id or "", aliases, problem)


def _model_versions(client: Any, model: str) -> Iterator[Any]:
    # The results of a search have no aliases; get_model_version adds them.
    for found in versions_of(client, model):
        yield client.get_model_version(model, found.version)

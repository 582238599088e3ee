import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune_alf.errors import ScheduleError, TrackingError
from finetune_alf.schedules import Schedule
from finetune_alf.schedules.names import model_name
from finetune_alf.schedules.published import PUBLISHED_NAMES, published
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.registry import Registry
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.store import tracking_uri

ONE, TWO = published("distilbert-alf-1"), published("distilbert-alf-2")


class Store:
    """A store with a parent run, as after a study."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tracker = MlflowTracker(root)
        self.run_id = self.tracker.start_parent_run("study:abc", "minilm", {})
        self.registry = Registry(self.tracker.uri)

    def register(self, schedule: Schedule, alias: str = "alf-1") -> int:
        return self.registry.register("alf-minilm", schedule, alias, self.run_id).version

    def file(self, schedule: Schedule) -> Path:
        (path,) = self.root.rglob(f"schedules/{schedule.digest[:16]}/schedule.json")
        return path


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root)


def test_a_registered_schedule_can_be_pulled(store: Store) -> None:
    store.register(ONE)
    pulled = Registry(store.tracker.uri).pull("alf-minilm@alf-1")
    assert pulled.schedule == ONE
    assert (pulled.model, pulled.version, pulled.run_id, pulled.digest) == ("alf-minilm", 1, store.run_id, ONE.digest)
    assert pull("alf-minilm@alf-1", store.tracker.uri) == ONE


def test_the_default_store_is_that_of_the_environment_or_the_working_directory(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.register(ONE)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(store.root)
    assert pull("alf-minilm@alf-1") == ONE
    monkeypatch.chdir("/")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracker.uri)
    assert pull("alf-minilm@alf-1") == ONE


def test_registering_again_creates_no_second_version(store: Store) -> None:
    assert (store.register(ONE), store.register(TWO, "alf-2"), store.register(ONE)) == (1, 2, 1)
    assert [(v.version, v.digest, v.aliases) for v in store.registry.list()] == [
        (1, ONE.digest, ("alf-1",)),
        (2, TWO.digest, ("alf-2",)),
    ]


def test_an_alias_moves_and_older_versions_are_kept(store: Store) -> None:
    store.register(ONE)
    store.register(TWO)
    assert store.registry.pull("alf-minilm@alf-1").schedule == TWO
    assert store.register(ONE) == 1
    assert store.registry.pull("alf-minilm@alf-1").schedule == ONE


def test_the_alias_is_resolved_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.register(ONE)
    client = store.registry._client(create=False)
    by_alias = client.get_model_version_by_alias

    def then_move(model: str, alias: str) -> object:
        found = by_alias(model, alias)
        store.register(TWO)
        return found

    monkeypatch.setattr(client, "get_model_version_by_alias", then_move)
    pulled = store.registry.pull("alf-minilm@alf-1")
    assert (pulled.version, pulled.schedule) == (1, ONE)


@pytest.mark.parametrize("call", ["log_artifact", "create_model_version", "set_registered_model_alias"])
def test_an_interrupted_registration_is_invisible_and_completed_by_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.registry._client(create=True), call, die)
        with pytest.raises(KeyboardInterrupt):
            store.register(ONE)
    with pytest.raises(ScheduleError, match="must be registered"):
        store.registry.pull("alf-minilm@alf-1")
    assert store.register(ONE) == 1
    assert len(store.registry.list()) == 1


def test_a_changed_upload_creates_no_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client = store.registry._client(create=True)
    upload = client.log_artifact

    def upload_another(run_id: str, local: str, folder: str) -> None:
        Path(local).write_text(TWO.to_json())
        upload(run_id, local, folder)

    monkeypatch.setattr(client, "log_artifact", upload_another)
    with pytest.raises(TrackingError, match="cannot upload schedule"):
        store.register(ONE)
    assert store.registry.list() == ()


def test_one_changed_byte_is_refused(store: Store) -> None:
    store.register(ONE)
    path = store.file(ONE)
    path.write_text(path.read_text().replace("2e-08", "2e-07", 1))
    with pytest.raises(ScheduleError, match="alf-minilm version 1: must have the contents that it was written with"):
        store.registry.pull("alf-minilm@alf-1")


@pytest.mark.parametrize("content", [b"\x80\x04N.", b"{", b" " * (2 << 20), json.dumps({"a": 1}).encode()])
def test_a_file_that_is_not_a_schedule_is_refused(store: Store, content: bytes) -> None:
    store.register(ONE)
    store.file(ONE).write_bytes(content)
    with pytest.raises(ScheduleError, match="alf-minilm version 1: must"):
        store.registry.pull("alf-minilm@alf-1")


def test_a_symbolic_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    store.register(ONE)
    path = store.file(ONE)
    shutil.move(path, tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ScheduleError, match="cannot read its file"):
        store.registry.pull("alf-minilm@alf-1")


def test_a_lost_file_is_restored_under_the_same_version(store: Store) -> None:
    store.register(ONE)
    store.file(ONE).unlink()
    with pytest.raises(ScheduleError, match="finetune-alf register minilm --from-lock"):
        store.registry.pull("alf-minilm@alf-1")
    assert store.register(ONE) == 1
    assert store.registry.pull("alf-minilm@alf-1").schedule == ONE


def test_the_schedules_of_a_moved_checkout_are_pulled_and_registered_under_their_versions(
    store: Store, tmp_path: Path
) -> None:
    store.register(ONE)
    moved = tmp_path / "moved"
    store.root.rename(moved)
    assert Registry(tracking_uri(moved)).pull("alf-minilm@alf-1").schedule == ONE
    there = Store(moved)
    assert there.run_id == store.run_id
    assert (there.register(ONE), there.register(TWO, "alf-2")) == (1, 2)
    assert pull("alf-minilm@alf-2", there.tracker.uri) == TWO
    assert not store.root.exists()


def test_a_copied_checkout_reads_and_writes_its_own_files(store: Store, tmp_path: Path) -> None:
    store.register(ONE)
    copy = tmp_path / "a copy"
    shutil.copytree(store.root, copy)
    content = store.file(ONE).read_bytes()
    store.file(ONE).write_bytes(b"{}")
    there = Store(copy)
    assert there.registry.pull("alf-minilm@alf-1").schedule == ONE
    there.register(TWO, "alf-2")
    assert there.file(TWO)
    assert not list(store.root.rglob(f"schedules/{TWO.digest[:16]}"))
    store.file(ONE).write_bytes(content)
    assert store.registry.pull("alf-minilm@alf-1").schedule == ONE


def test_a_database_that_was_copied_alone_reads_the_files_at_the_old_place(store: Store, tmp_path: Path) -> None:
    store.register(ONE)
    (tmp_path / "alone").mkdir()
    shutil.copy(store.root / "mlruns" / "mlflow.db", tmp_path / "alone" / "mlflow.db")
    assert Registry(f"sqlite:///{tmp_path}/alone/mlflow.db").pull("alf-minilm@alf-1").schedule == ONE


def test_listing_says_which_files_cannot_be_read(store: Store) -> None:
    store.register(ONE)
    store.register(TWO, "alf-2")
    store.file(ONE).unlink()
    lost, whole = store.registry.list()
    assert whole.problem is None
    assert "alf-minilm version 1: cannot read its file" in str(lost.problem)
    assert "finetune-alf register minilm --from-lock" in str(lost.problem)


def test_a_missing_alias_is_refused_with_the_registered_ones(store: Store) -> None:
    store.register(ONE)
    with pytest.raises(ScheduleError, match=r"alf-minilm@alf-9: must be registered .* but got alf-minilm@alf-1\."):
        store.registry.pull("alf-minilm@alf-9")
    with pytest.raises(
        ScheduleError, match=r"`finetune-alf register other`, .* `finetune-alf register other --from-lock`"
    ):
        store.registry.pull("alf-other@alf-1")


def test_a_version_is_pulled_by_its_number_wherever_its_alias_is(store: Store) -> None:
    store.register(ONE)
    store.register(TWO)  # moves the alias
    assert store.registry.pull("alf-minilm@alf-1").schedule == TWO
    for number, schedule in ((1, ONE), (2, TWO)):
        pulled = store.registry.pull_version("alf-minilm", number, schedule.digest)
        assert (pulled.schedule, pulled.version) == (schedule, number)


def test_a_version_that_has_another_number_is_found_by_its_digest(store: Store) -> None:
    store.register(ONE)
    for number in (2, 7):
        assert store.registry.pull_version("alf-minilm", number, ONE.digest).version == 1
    with pytest.raises(ScheduleError, match=r"alf-minilm version 1: must be registered .*, but no version has it\."):
        store.registry.pull_version("alf-minilm", 1, TWO.digest)
    with pytest.raises(ScheduleError, match=r"alf-other version 1: must be .* `finetune-alf register other`"):
        store.registry.pull_version("alf-other", 1, ONE.digest)


def test_a_numbered_version_whose_file_was_changed_is_refused(store: Store) -> None:
    store.register(ONE)
    store.file(ONE).write_text(TWO.to_json())
    with pytest.raises(ScheduleError, match="alf-minilm version 1: must have the digest"):
        store.registry.pull_version("alf-minilm", 1, ONE.digest)


def test_a_models_name_tells_project_and_study_and_messages_name_the_study(store: Store) -> None:
    model = model_name("my-team", "minilm-2")
    assert model == "alf-my-team.minilm-2"
    store.registry.register(model, ONE, "alf-1", store.run_id)
    assert pull(f"{model}@alf-1", store.tracker.uri) == ONE
    with pytest.raises(ScheduleError, match="`finetune-alf register minilm-2`"):
        store.registry.pull(f"{model}@alf-2")
    longest = model_name("p" * 64, "s" * 64)
    store.registry.register(longest, TWO, "alf-1", store.run_id)
    assert [each.model for each in store.registry.list()] == [model, longest]


def test_an_empty_registry_is_named(root: Path) -> None:
    MlflowTracker(root)
    with pytest.raises(ScheduleError, match="but got no schedules"):
        Registry(MlflowTracker(root).uri).pull("alf-minilm@alf-1")


def test_a_version_without_a_digest_is_not_a_schedule(store: Store) -> None:
    client = store.tracker.client
    client.create_registered_model("alf-minilm")
    client.create_model_version("alf-minilm", "file:///etc", store.run_id)
    client.set_registered_model_alias("alf-minilm", "alf-1", "1")
    client.create_registered_model("Somebody's own")
    with pytest.raises(ScheduleError, match=r"has no tag alf.digest"):
        store.registry.pull("alf-minilm@alf-1")
    assert store.registry.list() == ()


def test_pulling_from_a_missing_store_creates_none(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no such file"):
        pull("alf-minilm@alf-1", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert list(tmp_path.iterdir()) == []


UNSAFE = [
    "a.b.c",
    ".a",
    "a..b",
    "../x",
    "/etc",
    "a/b",
    "%2e%2e",
    "%252e",
    "a\\b",
    "a#b",
    "a?b",
    "a\x00",
    "CON",
    "con.",
    "",
    "a b",
    "é",
    "a\n",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused_before_any_store_is_opened(name: str, tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db")
    for ref in (f"{name}@alf-1", f"alf-minilm@{name}"):
        with pytest.raises(ScheduleError, match="must be 1 to 100 lower-case letters"):
            registry.pull(ref)
        with pytest.raises(ScheduleError):
            pull(ref, registry.uri)
    with pytest.raises(ScheduleError, match="model: must be"):
        registry.register(name, ONE, "alf-1", "0" * 32)
    assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ref=st.text(max_size=30).filter(lambda ref: ref not in PUBLISHED_NAMES))
def test_only_schedule_errors_escape_from_arbitrary_references(ref: str, tmp_path: Path) -> None:
    with pytest.raises((ScheduleError, TrackingError)):
        pull(ref, f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_schedule_is_pulled_from_a_file(tmp_path: Path, new_root: Callable[[], Path]) -> None:
    path = tmp_path / "mine.json"
    path.write_text(ONE.to_json())
    assert pull(str(path)) == ONE
    with pytest.raises(ScheduleError, match=r"missing.json: must be a readable file"):
        pull(str(tmp_path / "missing.json"))


def test_a_schedule_above_the_forgetting_bound_is_pulled_only_if_allowed(tmp_path: Path) -> None:
    document = json.loads(ONE.to_json())
    del document["checksum"]
    document["recipe"]["rates"]["embeddings"] = 4e-4
    document["recipe"]["allow_forgetting"] = True
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ScheduleError, match=r"at most 1e-4 for embeddings and layers, but got 4e-4"):
        pull(str(path))
    assert pull(str(path), allow_forgetting=True).recipe.rates.highest == 4e-4

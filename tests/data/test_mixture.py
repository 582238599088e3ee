"""Mixtures on disk: the sample of every task and a card, written atomically and verified when read."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from finetune_alf.data.mixture import Mixture, load_any_sample
from finetune_alf.data.prepare import prepare_mixture, prepare_sample
from finetune_alf.data.sample import Sample
from finetune_alf.data.source_spec import FilesSource, MiniSource
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.json_files import read_json, write_json

COUNTS = {"n_train": 8, "n_validation": 6, "n_confirmation": 4, "n_test": 10}
FILMS = SampleSpec(source=MiniSource(domain="films"), **COUNTS)
TRAVEL = SampleSpec(source=MiniSource(domain="travel"), **{**COUNTS, "n_train": 12})
SPEC = MixtureSpec(tasks={"films": FILMS, "trips": TRAVEL})


def test_a_mixture_round_trips(tmp_path: Path) -> None:
    card = prepare_mixture("both", SPEC, tmp_path / "both")
    mixture = load_any_sample(tmp_path / "both")
    assert isinstance(mixture, Mixture)
    assert mixture.card == card
    assert list(mixture.tasks) == list(card.tasks) == ["films", "trips"]
    assert {name: sample.card.digest for name, sample in mixture.tasks.items()} == card.tasks
    assert card.counts["train"] == {"films": 8, "trips": 12}
    assert card.counts["test"] == {"films": 10, "trips": 10}


def test_each_task_is_the_same_sample_as_outside_a_mixture(tmp_path: Path) -> None:
    prepare_mixture("both", SPEC, tmp_path / "both")
    alone = prepare_sample("films", FILMS, tmp_path / "films")
    assert load_any_sample(tmp_path / "both").tasks["films"].card == alone
    plain = load_any_sample(tmp_path / "films")
    assert isinstance(plain, Sample)
    assert plain.tasks == {"films": plain}


def test_the_digest_depends_on_names_and_order(tmp_path: Path) -> None:
    tasks = [{"a": FILMS, "b": TRAVEL}, {"b": TRAVEL, "a": FILMS}, {"a": FILMS, "c": TRAVEL}, {"a": FILMS}]
    digests = {
        prepare_mixture("both", MixtureSpec(tasks=one), tmp_path / str(number)).digest
        for number, one in enumerate(tasks)
    }
    assert len(digests) == 4
    assert prepare_mixture("other", MixtureSpec(tasks=tasks[0]), tmp_path / "again").digest in digests


def test_a_task_that_cannot_be_drawn_is_named_and_the_old_mixture_is_kept(tmp_path: Path) -> None:
    card = prepare_mixture("both", SPEC, tmp_path / "both")
    broken = FilesSource(train=str(tmp_path / "no.csv"), text="text", label="label")
    spec = MixtureSpec(tasks={"films": FILMS, "lost": SampleSpec(source=broken, **COUNTS)})
    with pytest.raises(DataError, match=r"samples\.both\.tasks\.lost"):
        prepare_mixture("both", spec, tmp_path / "both")
    assert load_any_sample(tmp_path / "both").card == card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both"]


@pytest.mark.parametrize("name", ["overall", "score", "loss", "accuracy"])
def test_reserved_names_of_tasks_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"must not have the names overall.*but got {name}"):
        MixtureSpec(tasks={"films": FILMS, name: TRAVEL})


def test_uneven_classes_of_a_task_name_its_metric_alone(tmp_path: Path) -> None:
    """A recipe of several tasks can weight no classes."""
    rows = [f"text {number},{'ab'[number % 4 == 0]}\n" for number in range(80)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(rows))
    files = FilesSource(train=str(tmp_path / "a.csv"), text="text", label="label")
    uneven = SampleSpec(source=files, balance="natural", **COUNTS)
    lines: list[str] = []
    prepare_mixture("both", MixtureSpec(tasks={"films": FILMS, "uneven": uneven}), tmp_path / "both", log=lines.append)
    (hint,) = (line for line in lines if "classes are uneven" in line)
    assert hint.startswith("uneven: ")
    assert hint.endswith("set `metric` of the task to balanced_accuracy or macro_f1.")


def test_a_split_without_rows_is_named(tmp_path: Path) -> None:
    spec = FILMS.model_copy(update={"n_test": 0})
    prepare_mixture("both", MixtureSpec(tasks={"films": spec}), tmp_path / "both")
    films = load_any_sample(tmp_path / "both").tasks["films"]
    assert films.nonempty_split("validation") is films.splits["validation"]
    with pytest.raises(DataError, match=r"sample films: must have rows in its test split.*n_test"):
        films.nonempty_split("test")


def test_a_changed_or_missing_task_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    prepare_mixture("both", SPEC, folder)
    prepare_sample("trips", FILMS, folder / "trips")
    with pytest.raises(DataError, match="must have the card's digest"):
        load_any_sample(folder)
    prepare_mixture("both", SPEC, folder)
    (folder / "trips" / "card.json").unlink()
    with pytest.raises(DataError, match="trips"):
        load_any_sample(folder)


def test_an_invalid_card_is_named(tmp_path: Path) -> None:
    prepare_mixture("both", SPEC, tmp_path / "both")
    path = tmp_path / "both" / "card.json"
    write_json(path, {**read_json(path), "tasks": ["films"]})
    with pytest.raises(DataError, match=r"must be a mixture's card, but got tasks"):
        load_any_sample(tmp_path / "both")
    path.write_text("{")
    with pytest.raises(DataError, match="must be a sample's card"):
        load_any_sample(tmp_path / "both")

"""The texts of further pre-training: the training split or a file, without texts that are scored."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from finetune_alf.data.mixture import Mixture, MixtureCard
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import Split, load_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import select_texts

SAMPLE = {
    "source": {"kind": "mini", "domain": "films"},
    "n_train": 32,
    "n_validation": 24,
    "n_confirmation": 16,
    "n_test": 40,
    "max_train_frac": 0.2,
}


def drawn(root, **changes):
    spec = SampleSpec.model_validate_json(json.dumps(SAMPLE | changes))
    prepare_sample("films", spec, root / "films")
    return load_sample(root / "films")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("samples"))


def adapt_spec(**changes):
    settings = {"encoder": "tiny", "sample": "films", "epochs": 1}
    return AdaptSpec.model_validate_json(json.dumps(settings | changes))


def test_a_sample_gives_its_training_texts_and_holds_out_its_validation_texts(sample, tmp_path):
    texts = select_texts("one", adapt_spec(), sample, tmp_path)
    assert texts.train == sample.splits["train"].texts
    assert texts.held_out == sample.splits["validation"].texts


def test_without_validation_texts_a_few_training_texts_are_held_out(tmp_path):
    sample = drawn(tmp_path, n_validation=0)
    texts = select_texts("one", adapt_spec(), sample, tmp_path)
    assert len(texts.held_out) == 2
    assert sorted(texts.train + texts.held_out) == sorted(sample.splits["train"].texts)


def test_scored_texts_of_a_file_are_excluded_however_they_are_spaced(sample, tmp_path, monkeypatch):
    own = [f"text number {index}" for index in range(40)]
    leaked = [sample.splits[split].texts[0] for split in ("validation", "confirmation", "test")]
    fair = sample.splits["train"].texts[0]
    spaced = [text.replace(" ", "  ") for text in leaked]
    (tmp_path / "texts.txt").write_text("\n".join([*own, *spaced, fair, "", "  "]))
    monkeypatch.setenv("TEXTS", str(tmp_path))
    texts = select_texts("one", adapt_spec(file="${TEXTS}/texts.txt"), sample, tmp_path / "elsewhere")
    assert sorted(texts.train + texts.held_out) == sorted([*own, fair])
    assert texts.n_excluded == 3
    assert len(texts.held_out) == 2


def test_a_table_gives_a_column(sample, tmp_path):
    lines = [json.dumps({"body": f"text number {index}", "stars": index}) for index in range(5)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    texts = select_texts("one", adapt_spec(file="texts.jsonl", column="body"), sample, tmp_path)
    assert len(texts.train + texts.held_out) == 5
    with pytest.raises(DataError, match=r"texts\.jsonl: must have a column, as it is a table"):
        select_texts("one", adapt_spec(file="texts.jsonl"), sample, tmp_path)
    with pytest.raises(DataError, match=r"texts\.jsonl:1: must have the column 'text'"):
        select_texts("one", adapt_spec(file="texts.jsonl", column="text"), sample, tmp_path)
    with pytest.raises(DataError, match=r"texts\.jsonl:1: .* got 0"):
        select_texts("one", adapt_spec(file="texts.jsonl", column="stars"), sample, tmp_path)


def test_a_file_is_read_in_the_format_that_is_named(sample, tmp_path):
    (tmp_path / "texts.csv").write_bytes("".join(f'{n}|déjà "vu {n}\n' for n in range(5)).encode("latin-1"))
    form = {"columns": ["id", "body"], "delimiter": "|", "encoding": "latin-1", "quoting": "none"}
    texts = select_texts("one", adapt_spec(file="texts.csv", column="body", **form), sample, tmp_path)
    assert sorted(texts.train + texts.held_out) == [f'déjà "vu {n}' for n in range(5)]
    (tmp_path / "texts.txt").write_bytes("\n".join(f"déjà vu {n}" for n in range(5)).encode("latin-1"))
    lines = select_texts("one", adapt_spec(file="texts.txt", encoding="latin-1"), sample, tmp_path)
    assert sorted(lines.train + lines.held_out) == [f"déjà vu {n}" for n in range(5)]


def test_a_format_is_of_a_file_and_changes_the_adaptation_only_where_it_is_named(sample):
    assert (
        not {"columns", "encoding", "delimiter", "quoting"} & adapt_spec(file="texts.csv", column="a").training().keys()
    )
    assert adapt_spec(file="texts.txt", encoding="latin-1").training()["encoding"] == "latin-1"
    with pytest.raises(ValidationError, match="encoding must go with a file"):
        adapt_spec(encoding="latin-1")
    with pytest.raises(ValidationError, match="quoting must go with a column"):
        adapt_spec(file="texts.txt", quoting="none")


def pairs(root):
    """Draw pairs whose texts occur repeatedly, as in natural language inference: a premise, several hypotheses."""
    rows = {
        "train": [("shared with test", f"own {index}") for index in range(4)],
        "validation": [("shared with train", "held out"), ("held out", "shared with test")],
        "test": [("shared with test", "only test"), ("only test", "own 0")],
    }
    rows["train"] += [("shared with train", f"own {index}") for index in range(4)]
    for split, texts in rows.items():
        lines = [json.dumps({"one": one, "other": other, "label": n % 2}) for n, (one, other) in enumerate(texts)]
        (root / f"{split}.jsonl").write_text("\n".join(lines))
    source = {"kind": "files", "text": ["one", "other"], "label": "label"}
    source |= {split: str(root / f"{split}.jsonl") for split in rows}
    counts = {"n_train": 8, "n_validation": 2, "n_confirmation": 0, "n_test": 2, "max_train_frac": 1.0}
    prepare_sample("pairs", SampleSpec.model_validate_json(json.dumps({"source": source, **counts})), root / "pairs")
    return load_sample(root / "pairs")


def test_texts_of_training_pairs_that_are_scored_in_other_pairs_are_excluded(tmp_path):
    texts = select_texts("one", adapt_spec(sample="pairs"), pairs(tmp_path), tmp_path)
    assert sorted(texts.train) == ["own 1", "own 2", "own 3"]
    assert sorted(texts.held_out) == ["held out", "shared with test", "shared with train"]
    assert texts.n_excluded == 3


def test_no_text_is_both_trained_on_and_held_out_if_it_occurs_twice(sample, tmp_path):
    (tmp_path / "twice.txt").write_text("\n".join([*(f"text  {index}" for index in range(40))] * 2))
    texts = select_texts("one", adapt_spec(file="twice.txt"), sample, tmp_path)
    assert sorted(texts.train + texts.held_out) == sorted(f"text  {index}" for index in range(40))


def test_held_out_texts_are_drawn_from_all_tasks_of_a_mixture(sample, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune_alf.experiments.adapt.texts.MAX_HELD_OUT", 8)
    other = drawn(tmp_path, source={"kind": "mini", "domain": "gadgets"})
    mixture = Mixture("both", MixtureCard(name="both", tasks={}, counts={}, digest="0" * 64), {"a": sample, "b": other})
    texts = select_texts("one", adapt_spec(sample="both"), mixture, tmp_path)
    assert len(texts.held_out) == 8
    for one in (sample, other):
        assert set(texts.held_out) & set(one.splits["validation"].texts)
        assert set(texts.train) >= set(one.splits["train"].texts)


def test_no_text_left_to_train_on_is_an_error(tmp_path):
    sample = pairs(tmp_path)
    train = Split((("shared with test", "only test"),), (0,))
    sample = replace(sample, splits={**sample.splits, "train": train})
    with pytest.raises(DataError, match=r"adapt\.one\.sample: must give 1 or more texts that .* but got 0"):
        select_texts("one", adapt_spec(sample="pairs"), sample, tmp_path)


def test_too_few_texts_and_a_missing_file_are_errors(sample, tmp_path):
    (tmp_path / "one.txt").write_text("a single text")
    with pytest.raises(DataError, match=r"adapt\.one\.file: must give 2 or more texts .* but got 1"):
        select_texts("one", adapt_spec(file="one.txt"), sample, tmp_path)
    with pytest.raises(DataError, match=r"none\.txt: "):
        select_texts("one", adapt_spec(file="none.txt"), sample, tmp_path)


def test_the_digest_covers_which_texts_are_held_out(sample, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(f"text number {index}" for index in range(40)))
    from_file = [select_texts("one", adapt_spec(file="texts.txt", seed=seed), sample, tmp_path) for seed in (1, 1, 2)]
    assert from_file[0].digest == from_file[1].digest != from_file[2].digest
    assert from_file[0].source_digest == from_file[2].source_digest

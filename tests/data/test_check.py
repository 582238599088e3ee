"""Samples are checked before any of them is drawn: all that cannot be are named at once."""

import pytest

from finetune_alf.data.check import check_samples
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.source_spec import FilesSource, HubSource, MiniSource
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.errors import DataError

SIZES = {"n_train": 8, "n_validation": 4, "n_confirmation": 4, "n_test": 4}


def mini(**given):
    return SampleSpec(source=MiniSource(domain="films"), **(SIZES | given))


def test_every_sample_with_too_few_rows_is_named_as_its_drawing_would(tmp_path):
    samples = {"good": mini(), "train": mini(n_train=100), "mixed": MixtureSpec(tasks={"a": mini(n_test=5000)})}
    with pytest.raises(DataError) as caught:
        check_samples(samples, tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["samples.train", "samples.mixed.tasks.a"]
    with pytest.raises(DataError) as drawn:
        prepare_sample("train", samples["train"], tmp_path / "train")
    assert str(drawn.value) == lines[0]
    assert list(tmp_path.iterdir()) == []


def test_what_would_be_downloaded_is_not_read_and_a_missing_file_is_a_fault(tmp_path):
    hub = HubSource(name="no/such", text="t", label="l", revision="0" * 40)
    check_samples({"far": SampleSpec(source=hub, **SIZES)}, tmp_path)
    here = SampleSpec(source=FilesSource(train="none.csv", text="t", label="l"), **SIZES)
    with pytest.raises(DataError, match=r"samples\.here: .*none\.csv"):
        check_samples({"here": here}, tmp_path)


def test_samples_of_several_classes_a_text_are_drawn_as_the_stage_draws_them(tmp_path):
    rows = [f"text {row},{('x;y', 'x', 'y', '')[row % 4]},{row % 2},{row // 2 % 2}" for row in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["t,tags,a,b", *rows]))
    cells = FilesSource(train="t.csv", text="t", label="tags", label_separator=";")
    flags = FilesSource(train="t.csv", text="t", label=("a", "b"))
    settings = {"problem_type": "multi_label", "max_train_frac": 1}
    samples = {
        name: SampleSpec(source=each, **settings, **SIZES) for name, each in (("cells", cells), ("flags", flags))
    }
    check_samples(samples, tmp_path)
    with pytest.raises(DataError, match=r"samples\.cells: "):
        check_samples({"cells": samples["cells"].model_copy(update={"n_test": 90})}, tmp_path)

"""Samples are checked before any of them is drawn: all that cannot be are named at once."""

import pytest

from finetune_alf.data.check import check_samples
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.spec import FilesSource, HubSource, MiniSource, MixtureSpec, SampleSpec
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

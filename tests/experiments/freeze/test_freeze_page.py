"""Sweeps in the report: the whole page beside this test, and the sentence that sums a sweep up."""

from pathlib import Path

import pytest
from planted_sweeps import document, level, point, points, table, write_sweeps

from finetune_alf.experiments.freeze.page import freeze_part
from finetune_alf.experiments.freeze.page_points import kept_with, operating_points
from finetune_alf.experiments.freeze.page_published import improvement
from finetune_alf.paths import Paths
from golden import golden


def test_the_page_is_what_the_documents_say(tmp_path):
    paths = Paths(tmp_path)
    write_sweeps(paths)
    part = freeze_part(paths)
    page = "\n\n".join(["\n".join(part.in_short), part.section.markdown])
    assert page == golden(Path(__file__).with_name("freeze_page.md"), page)
    assert list(part.section.pictures) == [
        *(f"{sweep}-{figure}.png" for sweep in ("first", "second") for figure in ("levels", "differences", "seconds")),
        "freeze-3-layers.png",
    ]


def test_without_a_sweep_there_is_no_part(tmp_path):
    assert freeze_part(Paths(tmp_path)) is None


@pytest.mark.parametrize(
    ("of_score", "of_gain", "kept", "gained"),
    [
        ([1], [2], "with 1 of 3 layers trained;", "baseline with 2."),
        (
            [0, 1],
            [None, None],
            "with 0 to 1 of 3 layers",
            "baseline with 3.",
        ),  # no level keeps it: all layers are needed
        ([0, 1], ["no gain", 1], "with 0 to 1 of 3 layers", "baseline with 1, on the samples with a gain."),
        ([0, 1], ["no gain", "no gain"], "with 0 to 1 of 3 layers", "no full model is above the majority baseline."),
    ],
)
def test_the_range_of_layers_is_over_all_samples(of_score, of_gain, kept, gained):
    scores, gains = ([None if n == "no gain" else point(n) for n in numbers] for numbers in (of_score, of_gain))
    tables = [
        table(f"sample-{index}", [level(None, {"f1": 0.8})], {"f1": points(*pair)})
        for index, pair in enumerate(zip(scores, gains, strict=True))
    ]
    sentence = kept_with(document("sweep", *tables))
    assert kept in sentence
    assert sentence.endswith(gained)


def test_the_part_to_keep_is_written_with_all_of_its_digits():
    one = table("films", [level(None, {"f1": 0.8})], {"f1": points(point(1), point(1))})
    sweep = document("sweep", one, keep_frac=0.995)
    assert kept_with(sweep).startswith("99.5% of the full model's score is kept with")
    assert "layers for 99.5% of the gain" in operating_points(sweep).markdown


def test_cola_counts_only_where_there_is_no_other_sample():
    cola, other = (
        table(name, [level(None, {"f1": 0.8})], {"f1": points(point(n), None)})
        for name, n in (("cola", 3), ("sst2", 1))
    )
    assert "with 1 of 3 layers trained, without `cola`;" in kept_with(document("both", cola, other))
    assert "with 3 of 3 layers trained;" in kept_with(document("alone", cola))


def test_the_papers_improvement_on_sst2_stands_beside_levels_that_freeze_as_large_a_share():
    levels = [level(n_frozen, {"accuracy": mean}) for n_frozen, mean in ((None, 0.8), (1, 0.7), (2, 0.9), (3, 0.6))]
    sweep = document(
        "sweep", *(table(name, levels, {"accuracy": points(None, None)}) for name in ("cola", "SST-2-small"))
    )
    told = list(improvement(sweep))
    assert len(told) == 2
    assert "12 to 16 of 24 layers frozen" in told[0]
    assert "2 of 3 frozen +.100 [" in told[1]
    assert "1 of 3" not in told[1]
    assert "3 of 3" not in told[1]
    assert list(improvement(document("without", table("cola", levels, {"accuracy": points(None, None)})))) == []


def test_full_models_that_diverged_are_not_said_to_score_0(tmp_path):
    none = points(None, None).model_copy(update={"full_model": None, "gain": None, "head_only": None})
    lost = [level(n, {"accuracy": None}, n_seeds=0, n_diverged=2, seconds=None) for n in (None, 1)]
    document("lost", table("sst2", lost, {"accuracy": none})).write(Paths(tmp_path).document("freeze", "lost"))
    assert freeze_part(Paths(tmp_path)).in_short == ("Freeze sweep **`lost`**: every fit of the full model diverged.",)

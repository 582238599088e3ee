"""Stage `labels` on the corpus of the package: nested draws, cells, document, page, a second start, refused params."""

import pytest

from finetune_alf.data.sample import load_sample
from finetune_alf.errors import ParamsError
from finetune_alf.experiments.labels.cells import LabelsLine
from finetune_alf.experiments.labels.document import LabelsDocument
from finetune_alf.experiments.labels.draws import draws
from finetune_alf.experiments.labels.experiment import LABELS
from finetune_alf.experiments.labels.section import SECTION
from finetune_alf.experiments.registry import load_params
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.planning.plan import plan
from small_project import PARAMS, n_fitted_after_a_loss, project_after

FEW = """
labels:
  few:
    encoder: tiny
    samples: [films]
    schemes: [tfidf, baseline, {kind: decayed, rate: 1e-4, factor: 0.8}]
    n_train: [16, 32]
    n_validation: 8
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-4, head: 1e-2}
      batch: 8
      epochs: 1
      max_tokens: 16
"""
N_CELLS = 2 * 2 * 3


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return project_after(LABELS, "few", tmp_path_factory.mktemp("few"), PARAMS + FEW)


def test_every_scheme_is_fitted_on_every_number_of_texts_of_every_draw(done):
    lines = LabelsLine.read_lines(done.paths.cells("labels", "few"))
    assert [(line.draw, line.n_train, line.scheme) for line in lines] == [
        (draw, n, scheme) for draw in (0, 1) for n in (16, 32) for scheme in ("tfidf", "baseline", "decayed")
    ]
    assert len({line.seed for line in lines}) == 2
    (table,) = LabelsDocument.read(done.paths.document("labels", "few")).samples.values()
    assert (table.sample.n_pool, table.sample.n_test) == (96, 40)
    for scheme, sizes in table.schemes.items():
        for size in sizes:
            own = [line.score for line in lines if (line.scheme, line.n_train) == (scheme, size.n_train)]
            assert size.score.mean == pytest.approx(sum(own) / 2)
    small, large = table.schemes["tfidf"]
    assert small.gain is None
    assert large.gain.mean == pytest.approx((large.score.mean - small.score.mean) * 100 / 16)
    assert table.schemes["baseline"][0].difference is table.schemes["baseline"][0].equivalent is None
    expected = large.score.mean - table.schemes["baseline"][1].score.mean
    assert large.difference.mean == pytest.approx(expected)


def test_a_larger_draw_begins_with_the_texts_of_a_smaller_one(done):
    spec = SECTION.of(done.params)["few"]
    (sample,) = spec.samples
    made = draws(spec, {sample: load_sample(done.paths.sample(sample))})
    small, large = (draw.drawn.splits["train"].texts for draw in made if draw.index == 0)
    assert (len(small), len(large)) == (16, 32)
    assert large[:16] == small


def test_the_draws_files_are_gone_and_a_second_start_fits_only_what_was_lost(done):
    assert not (done.paths.studies / "labels-few").exists()
    before = LabelsDocument.read(done.paths.document("labels", "few"))
    assert len(Ledger(done.paths.ledger("labels-few")).results) == N_CELLS
    assert n_fitted_after_a_loss(LABELS, "few", done) == 1
    after = LabelsDocument.read(done.paths.document("labels", "few"))
    scores = [
        [[size.score for size in sizes] for sizes in each.samples["films"].schemes.values()] for each in (before, after)
    ]
    assert scores[0] == scores[1]


def test_the_page_has_every_scheme_and_the_figure(done):
    part = LABELS.part(done.paths)
    assert list(part.section.pictures) == ["few-labels.png"]
    assert part.in_short[0].startswith("Labelled texts `few` on `films`: with 16 texts `")
    for heading in (
        "What 100 more labelled texts add",
        "With how many texts `baseline` scores the same",
        "Differences",
    ):
        assert heading in part.section.markdown
    assert "a verdict needs 5" in part.section.markdown


def test_its_fits_are_planned(done, quick_probes):
    (stage,) = plan(done, LABELS, "few").stages
    assert stage.n_fits == N_CELLS
    assert set(stage.elapsed.kinds) == {
        f"{scheme}/{n}" for scheme in ("tfidf", "baseline", "decayed") for n in (16, 32)
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("samples: [films]", "samples: [nowhere]", r"labels\.few\.samples"),
        ("n_train: [16, 32]", "n_train: [16, 100]", "must be at most 88, the rows of sample films"),
        ("n_train: [16, 32]", "n_train: [32, 16]", "n_train must rise"),
        (
            "n_train: [16, 32]",
            "n_train: [4, 16]",
            "recipe.batch: must be at most the smallest n_train, 4, but",
        ),
        ("tfidf, baseline,", "tfidf,", "schemes must have baseline"),
        ("tfidf, baseline,", "uniform, baseline,", "schemes must give uniform a rate"),
        ("tfidf, baseline,", "alf-1, baseline,", "as in alf-minilm@alf-1"),
        (
            "tfidf, baseline,",
            "{kind: uniform, rate: 1e-3}, baseline,",
            "the rate of scheme uniform must be at most",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(tmp_path, old, new, message):
    (tmp_path / "params.yaml").write_text(PARAMS + FEW.replace(old, new))
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")

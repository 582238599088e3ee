"""Stage `decay` on the corpus of the package: cells, document, an interrupted grid, its prediction, refused params."""

from collections import Counter
from unittest import mock

import pytest

from finetune_alf.data.sample import load_sample
from finetune_alf.errors import ParamsError
from finetune_alf.experiments.decay.cells import DecayLine
from finetune_alf.experiments.decay.document import DecayDocument
from finetune_alf.experiments.decay.experiment import DECAY
from finetune_alf.experiments.registry import load_params
from finetune_alf.planning.plan import plan
from finetune_alf.running.parent_run import Runs
from small_project import PARAMS, n_fitted_after_a_loss, project_after

GRID = """
decay:
  grid:
    encoder: tiny
    sample: films
    rates: [1e-4, 1e-5]
    factors: [1.0, 0.5]
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-4, head: 1e-2}
      batch: 8
      epochs: 2
      max_tokens: 16
"""
PAIRS = [(1e-4, 1.0), (1e-4, 0.5), (1e-5, 1.0), (1e-5, 0.5)]


@pytest.fixture(scope="module")
def epochs():
    """The epochs of the stage's fits, as they were logged while these went on."""
    return []


@pytest.fixture(scope="module")
def done(tmp_path_factory, epochs):
    def keep(runs, record):
        epochs.append(record)

    with mock.patch.object(Runs, "put_epoch", keep):
        return project_after(DECAY, "grid", tmp_path_factory.mktemp("grid"), PARAMS + GRID)


def test_a_fit_that_goes_on_is_tagged_with_its_sample_and_seed(done, epochs):
    lines = DecayLine.read_lines(done.paths.cells("decay", "grid"))
    assert Counter(record.epoch for record in epochs) == {0: len(lines), 1: len(lines)}
    digest = load_sample(done.paths.sample("films")).card.digest
    for record in epochs:
        assert (record.tags["alf.sample"], record.tags["alf.sample.digest"]) == ("films", digest)
    assert {record.tags["alf.seed"] for record in epochs} == {str(line.seed) for line in lines}


def test_every_pair_is_fitted_under_every_seed_and_scored_on_the_test_split(done):
    lines = DecayLine.read_lines(done.paths.cells("decay", "grid"))
    assert [(line.rate, line.factor) for line in lines] == [pair for pair in PAIRS for _ in range(2)]
    assert len({line.seed for line in lines}) == 2
    assert lines[2].rates == pytest.approx({"embeddings": 2.5e-5, "layer.0": 5e-5, "layer.1": 1e-4, "head": 1e-2})
    document = DecayDocument.read(done.paths.document("decay", "grid"))
    assert document.sample.n_test == 40
    for pair in document.pairs:
        own = [line.score for line in lines if (line.rate, line.factor) == (pair.rate, pair.factor)]
        assert pair.accuracy.mean == pytest.approx(sum(own) / 2)
    assert done.console.lines[-1].startswith("grid, test error by rate and factor: 1e-4/1 ")


def test_a_second_start_that_lost_a_result_fits_only_that(done):
    before = DecayDocument.read(done.paths.document("decay", "grid"))
    assert n_fitted_after_a_loss(DECAY, "grid", done) == 1
    again = DecayDocument.read(done.paths.document("decay", "grid"))
    assert [pair.accuracy for pair in again.pairs] == [pair.accuracy for pair in before.pairs]


def test_its_fits_are_planned(done, quick_probes):
    (stage,) = plan(done, DECAY, "grid").stages
    assert (stage.n_fits, stage.elapsed.n_fits) == (8, 8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sample: films", "sample: nowhere", "decay.grid.sample"),
        (
            "encoder: tiny\n    sample: films\n    rates",
            "encoder: nobody\n    sample: films\n    rates",
            "decay.grid.enc",
        ),
        ("batch: 8\n      epochs: 2", "batch: 64\n      epochs: 2", "decay.grid.recipe.batch"),
        ("n_test: 40", "n_test: 0", "samples.films.n_test"),
    ],
)
def test_what_does_not_agree_with_other_sections_is_refused(tmp_path, old, new, message):
    before, _, grid = (PARAMS + GRID).partition("\ndecay:")
    where = before if old.startswith("n_test") else grid
    text = (PARAMS + GRID).replace(where, where.replace(old, new, 1), 1)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")

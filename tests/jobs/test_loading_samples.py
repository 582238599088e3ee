"""A fit runner keeps what it loaded of each sample apart."""

import pytest

from finetune_alf.compute import Compute
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from tiny import tiny_recipe, tiny_spec

COMPUTE = Compute("cpu", "fp32", n_threads=1)


def prepared(domain, folder):
    spec = SampleSpec(
        source=MiniSource(kind="mini", domain=domain),
        n_train=8,
        n_validation=8,
        n_confirmation=8,
        n_test=12,
        max_train_frac=0.2,
    )
    return prepare_sample(domain, spec, folder).digest


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    return {prepared(domain, root / domain): root / domain for domain in ("films", "travel")}


def test_each_sample_is_fitted_on_its_own_texts_and_scored_on_the_split_of_the_job(folders):
    def loss(fit_runner, digest, split, n_texts):
        job = FitJob("a", tiny_recipe(epochs=1), tiny_spec(), digest, seed=1, precision="fp32", score_on=split)
        result = fit_runner(job, lambda metrics: True)
        assert len(result.predictions) == n_texts
        return result.loss

    shared = FitRunner(folders, COMPUTE)
    kinds = [(digest, split, n) for digest in folders for split, n in (("validation", 8), ("test", 12))]
    together = [loss(shared, *kind) for kind in kinds]
    assert together == [loss(FitRunner({kind[0]: folders[kind[0]]}, COMPUTE), *kind) for kind in kinds]
    assert len(set(together)) == 4


def test_a_sample_that_was_drawn_again_is_named_with_both_digests(folders):
    (films, folder), (travel, _) = folders.items()
    job = FitJob("a", tiny_recipe(epochs=1), tiny_spec(), travel, seed=1, precision="fp32")
    with pytest.raises(DataError, match=f"sample films: must have the digest {travel}, but got {films}"):
        FitRunner({travel: folder}, COMPUTE)(job, lambda metrics: True)

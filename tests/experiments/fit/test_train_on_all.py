"""`train_on: all`: a second fit on every labelled text but those of the test, calibrated by the first one."""

import pytest

from finetune_alf.classifier.record import read_record
from finetune_alf.data.all_texts import with_all_texts
from finetune_alf.errors import DataError
from finetune_alf.experiments.fit.all_texts import recipe_on_all
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.transfer.cells import cells
from finetune_alf.experiments.transfer.stage import transfer_kind
from finetune_alf.planning.plan import plan
from finetune_alf.recipe import EarlyStopping
from finetune_alf.running.bench import open_bench
from fit_project import project


@pytest.fixture(scope="module")
def on_all(done):
    """The project, with the classifier of its training split and then that of all texts."""
    ctx = project(done.paths.root, seed=5)
    FIT.run(ctx, "tiny")
    first = read_record(ctx.paths.model("tiny"))
    ctx = project(done.paths.root, seed=5, train_on="all")
    FIT.run(ctx, "tiny")
    return ctx, first


def test_it_trains_on_all_texts_but_those_of_the_test_and_keeps_the_temperature_of_the_first(on_all):
    ctx, first = on_all
    record, document = read_record(ctx.paths.model("tiny")), FitDocument.read(ctx.paths.document("fit", "tiny"))
    whole = with_all_texts(open_bench(ctx, "tiny").only, ctx.sample("films"), ctx.paths.root)
    assert (record.sample, record.train_on) == (document.sample.digest, "all")
    assert record.fit != first.fit
    assert record.digests != first.digests
    assert record.calibration.temperature == first.calibration.temperature
    assert (document.train_on, document.n_texts["train"]) == ("all", len(whole.splits["train"].texts))
    assert document.sample.digest != whole.card.digest
    assert (
        f"{document.n_texts['train']:,} for training, all labelled"
        in (ctx.paths.model("tiny") / "README.md").read_text()
    )
    assert "on the training split alone" in FIT.part(ctx.paths).section.markdown
    assert not list(ctx.paths.studies.glob("*.texts"))


def test_it_is_done_once_and_anew_where_it_is_damaged(on_all):
    ctx, _ = on_all
    ledger, saved = ctx.paths.ledger("fit-tiny"), read_record(ctx.paths.model("tiny"))
    before = len(ledger.read_text().split())
    FIT.run(project(ctx.paths.root, seed=5, train_on="all"), "tiny")
    assert len(ledger.read_text().split()) == before
    (ctx.paths.model("tiny") / "model.safetensors").write_bytes(b"cut off")
    FIT.run(project(ctx.paths.root, seed=5, train_on="all"), "tiny")
    assert read_record(ctx.paths.model("tiny")) == saved


def test_every_labelled_text_is_there_once_and_no_test_text(done):
    ctx = project(done.paths.root)
    sample = open_bench(ctx, "tiny").only
    whole = with_all_texts(sample, ctx.sample("films"), ctx.paths.root)
    texts, drawn = set(whole.splits["train"].texts), sample.splits
    assert len(texts) == len(whole.splits["train"].texts) == sum(whole.card.counts["train"].values())
    assert texts > {*drawn["train"].texts, *drawn["validation"].texts, *drawn["confirmation"].texts}
    assert not texts & set(drawn["test"].texts)
    assert {name: whole.splits[name] for name in ("validation", "test")} == {
        name: drawn[name] for name in ("validation", "test")
    }
    labels = dict(zip(drawn["train"].texts, drawn["train"].labels, strict=True))
    assert labels.items() <= dict(zip(whole.splits["train"].texts, whole.splits["train"].labels, strict=True)).items()


def test_a_source_that_is_another_one_now_is_refused(done):
    ctx = project(done.paths.root)
    other = ctx.sample("films").model_copy(update={"seed": 9})
    with pytest.raises(DataError, match="its source is not what the sample was drawn from"):
        with_all_texts(open_bench(ctx, "tiny").only, other, ctx.paths.root)


def test_the_second_fit_takes_the_passes_that_the_first_one_was_scored_after(done):
    ctx = project(done.paths.root)
    bench = open_bench(ctx, "tiny")
    recipe = bench.study.recipe.model_copy(
        update={"keep": "best", "steps_per_epoch": 3, "early_stopping": EarlyStopping(patience=1)}
    )
    (cell,) = cells({"baseline": bench.study.recipe}, 1, seed=1)
    result = bench.fit_runner(transfer_kind(bench).job(cell), lambda epoch: True)
    found = recipe_on_all(recipe, result.model_copy(update={"kept_epoch": 1}), 32, 96)
    assert (found.epochs, found.keep, found.early_stopping, found.steps_per_epoch) == (2, "last", None, 9)
    assert recipe_on_all(bench.study.recipe, result, 32, 96) == bench.study.recipe


def test_both_fits_are_planned(on_all, quick_probes):
    ctx, _ = on_all
    stages = plan(ctx, FIT, "tiny").stages
    assert [each.n_fits for each in stages] == [1, 1]
    assert stages[1].fit_flops > stages[0].fit_flops

"""Stage `fit`: the weights of a transfer's cell, saved once, with a model card; and what leaves nothing to save."""

import re

import pytest
import torch
from click.testing import CliRunner

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock
from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.record import read_record
from finetune_alf.cli.entry import group
from finetune_alf.comparison import SeedsScore
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.errors import EncoderError, InputError, ParamsError
from finetune_alf.experiments.fit.card import model_card
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.fit.scheme import check_can_be_fitted, chosen_scheme
from finetune_alf.experiments.fit.spec import FitSpec
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.summary import classifier_line, classifiers_of
from finetune_alf.experiments.transfer.cells import TransferLine, cells
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.stage import transfer_kind
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.params.presets import find_source
from finetune_alf.planning.plan import plan
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import LoraAdapter, TfidfRecipe
from finetune_alf.running.bench import open_bench
from finetune_alf.running.prepare import prepare
from finetune_alf.tracking.store import tracking_uri
from fit_project import project
from small_project import context_of, small_context


def lines(ctx):
    return {line.scheme: line for line in TransferLine.read_lines(ctx.paths.cells("transfer", "tiny", "films"))}


def ledger_lines(ctx):
    return ctx.paths.ledger("fit-tiny").read_text().split()


def weights(ctx):
    model = load_classifier(ctx.paths.model("tiny")).encoder.model
    return {name: each.detach().clone() for name, each in model.named_parameters()}


def test_the_weights_are_those_of_the_transfers_cell_to_the_bit(done):
    bench = open_bench(done, "tiny")
    (cell,) = cells({"baseline": bench.study.recipe}, 1, seed=1)
    job = transfer_kind(bench).job(cell)
    assert bench.fit_runner(job, lambda epoch: True).score == lines(done)["baseline"].score
    of_transfer = dict(bench.fit_runner.loader.load(job)[0].model.named_parameters())
    saved = weights(done)
    assert saved.keys() == of_transfer.keys()
    assert all(torch.equal(saved[name], of_transfer[name]) for name in saved)
    (line,) = TransferLine.read_lines(done.paths.cells("fit", "tiny"))
    timed = {"seconds", "epochs", "environment"}
    assert line.model_dump(exclude=timed) == lines(done)["baseline"].model_dump(exclude=timed)


def test_the_document_says_what_was_fitted_and_what_it_scores(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    assert (document.folder, document.scheme, document.why) == ("models/tiny", "baseline", "")
    assert document.score.mean == lines(done)["baseline"].score
    assert document.score.low < document.score.mean < document.score.high
    assert document.n_texts == {"train": 32, "validation": 32, "confirmation": 32, "test": 40}
    assert (document.calibration.measured_on, document.calibration.n_texts) == ("test", 40)
    assert done.console.lines[-1].startswith("models/tiny: baseline, test accuracy")


def test_the_card_has_score_and_limits_and_code_that_runs(done, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(done.paths.root))
    card = (done.paths.model("tiny") / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "`negative`, `positive`" in card
    assert "## Limits" in card
    monkeypatch.chdir(done.paths.root)
    for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        exec(block, {})  # noqa: S102
        assert re.search("negative|positive", capsys.readouterr().out)


def test_the_card_names_joined_columns_and_what_is_kept_of_long_texts(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    assert "| text | column `text` |" in model_card(document)
    text = JoinedText(join=("title", "body"), by=" | ")
    changed = document.model_copy(update={"text": text, "truncation": "head_tail", "is_pipeline": False})
    card = model_card(changed)
    assert 'columns `title` and `body`, joined by `" \\| "`' in card
    assert "at most 16, beginning and end of longer ones" in card
    assert "the same for texts of at most 16 tokens: it cuts longer ones at their end" in card


def test_its_part_of_the_report_shows_the_calibration(done):
    part = FIT.part(done.paths)
    assert "fitted by `baseline`" in part.in_short[0]
    assert "## Classifier `tiny`" in part.section.markdown
    assert "tiny-reliability.png" in part.section.pictures
    version = FitDocument.read(done.paths.document("fit", "tiny")).version
    assert f"registered as `clf-small.tiny` version {version}." in part.in_short[0]
    (line, *_) = map(classifier_line, classifiers_of(done.paths, "tiny"))
    assert line.startswith("Classifier models/tiny, by baseline: ")
    assert line.endswith(f"registered as clf-small.tiny version {version}.")


def test_a_saved_classifier_is_not_fitted_again_and_one_that_is_damaged_is(done):
    before, saved = len(ledger_lines(done)), weights(done)
    told = CliRunner().invoke(group, ["fit", "tiny", "--root", str(done.paths.root)])
    assert (told.exit_code, told.output.count("registered as clf-small.tiny version ")) == (0, 1)
    assert len(ledger_lines(done)) == before
    (done.paths.model("tiny") / "model.safetensors").write_bytes(b"cut off")
    FIT.run(context_of(done.paths.root), "tiny")
    assert len(ledger_lines(done)) > before
    assert all(torch.equal(own, saved[name]) for name, own in weights(done).items())


def test_another_scheme_takes_its_place_with_the_settings_that_the_transfer_gives_it(done):
    ctx = project(done.paths.root, "probe")
    FIT.run(ctx, "tiny")
    record, document = read_record(ctx.paths.model("tiny")), FitDocument.read(ctx.paths.document("fit", "tiny"))
    assert (record.kind, record.pooling, document.is_pipeline) == ("probe", "first", False)
    sample = open_bench(ctx, "tiny").only
    classifier, test = load_classifier(ctx.paths.model("tiny")), sample.splits["test"]
    right = [
        name == sample.card.label_names[label]
        for name, label in zip(classifier.names(classifier.probabilities(test.texts)), test.labels, strict=True)
    ]
    assert sum(right) / len(right) == pytest.approx(lines(ctx)["probe"].score) == document.score.mean
    assert "does not compute this classifier" in (ctx.paths.model("tiny") / "README.md").read_text()


def test_a_contrastive_fit_is_saved_with_the_logistic_head_that_it_was_scored_by(done):
    ctx = project(done.paths.root, "contrastive")
    FIT.run(ctx, "tiny")
    document = FitDocument.read(ctx.paths.document("fit", "tiny"))
    classifier, test = load_classifier(ctx.paths.model("tiny")), open_bench(ctx, "tiny").only.splits["test"]
    predicted = classifier.probabilities(test.texts).argmax(1)
    assert (document.kind, classifier.pooling, document.is_pipeline) == ("contrastive", "mean", False)
    assert predicted.tolist() == list(Ledger(ctx.paths.ledger("fit-tiny")).results[-1].predictions)
    assert set(predicted) == {0, 1}


def transfer_in_which(tfidf_mean):
    score = SeedsScore(mean=0.8, low=0.7, high=0.9, sd_seeds=0.01)
    plain = SchemeResult(n_seeds=5, score=score, accuracy=score, balanced_accuracy=score, difference=None)
    return {"baseline": plain, "tfidf": plain.model_copy(update={"difference": compared(tfidf_mean)})}


def test_the_scheme_that_the_report_recommends_is_fitted_unless_one_is_named(done, tmp_path):
    (tmp_path / "encoder").symlink_to(done.paths.root / "encoder")
    ctx = project(tmp_path, "recommended")
    with pytest.raises(InputError, match=r"tiny is not registered yet.* Run `finetune-alf register tiny"):
        chosen_scheme(ctx, "tiny", FitSpec())
    fake_lock("tiny", [fake_candidate(0, LayerRates.of(0, [0, 0, 1e-5], 1e-2), (0.8,))], references=None).write(
        ctx.paths.schedules("tiny")
    )
    found = chosen_scheme(ctx, "tiny", FitSpec())
    assert (found.scheme.label, found.why) == ("baseline", "nothing is compared with it yet")
    document = TransferDocument.read(done.paths.document("transfer", "tiny", "films"))
    instead = "tfidf is recommended, but leaves no classifier to save; of the other schemes, "
    for mean, why in ((0.01, instead), (-0.01, "")):
        planted = document.model_copy(update={"schemes": transfer_in_which(mean)})
        planted.write(ctx.paths.document("transfer", "tiny", "films"))
        found = chosen_scheme(ctx, "tiny", FitSpec())
        assert found.scheme.label == "baseline"
        assert found.why.startswith(why)
        assert ("tfidf" in found.why) == bool(why)
    assert chosen_scheme(ctx, "tiny", FitSpec(scheme="probe")).scheme.pooling == "first"


@pytest.mark.parametrize(
    ("scheme", "recipe", "message"),
    [
        ("tfidf", TfidfRecipe(), "has no encoder that could be saved"),
        ("lora", LoraAdapter(rank=2, alpha=4), "puts an adapter into the encoder"),
        ("alf-1", None, "alf-1 is not registered for tiny"),
    ],
)
def test_a_scheme_that_leaves_nothing_to_save_is_refused_with_a_way_out(done, scheme, recipe, message):
    if isinstance(recipe, LoraAdapter):
        recipe = done.study("tiny").recipe.model_copy(update={"adapter": recipe})
    with pytest.raises(InputError, match=rf"{message}.* Take another scheme"):
        check_can_be_fitted("tiny", scheme, recipe)


def test_an_encoder_of_random_weights_is_refused_before_it_is_fitted(tmp_path):
    ctx = small_context(tmp_path)
    prepare(ctx, "films")
    with pytest.raises(EncoderError, match="tokenizer with files"):
        FIT.run(ctx, "tiny")
    assert not ctx.paths.ledger("fit-tiny").exists()


def test_it_is_planned_as_one_fit(done, quick_probes):
    (stage,) = plan(project(done.paths.root, "recommended"), FIT, "tiny").stages
    assert stage.n_fits == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fit: {}", "fit: {nobody: {}}", "fit.nobody: must be an entry of studies"),
        ("fit: {}", "fit: {minilm: {scheme: tfidf}}", "fit.minilm.scheme"),
        ("n_test: 72", "n_test: 0", "samples.films.n_test"),
    ],
)
def test_what_does_not_agree_with_other_sections_is_refused(tmp_path, old, new, message):
    text = find_source("default").text.replace(old, new, 1).replace("fit: {}", "fit: {minilm: {}}")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")

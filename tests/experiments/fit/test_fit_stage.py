"""Stage `fit`: the weights of a transfer's cell, saved once, with a model card, by every kind of scheme."""

import re

import mlflow
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock
from finetune_alf.classifier.calibration import softmax
from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.record import read_record
from finetune_alf.cli.entry import group
from finetune_alf.comparison import SeedsScore
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.errors import EncoderError, InputError, ParamsError
from finetune_alf.experiments.fit.card import model_card
from finetune_alf.experiments.fit.document import FitDocument, UsedSchedule
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.fit.page import majority_note
from finetune_alf.experiments.fit.scheme import check_can_be_fitted, chosen_scheme
from finetune_alf.experiments.fit.spec import FitSpec
from finetune_alf.experiments.fit.stage import fit
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.summary import classifier_line, classifiers_of
from finetune_alf.experiments.transfer.cells import TransferLine, cells
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.stage import transfer_kind
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.params.presets import find_source
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan
from finetune_alf.rates import LayerRates
from finetune_alf.running.bench import open_bench
from finetune_alf.running.prepare import prepare
from finetune_alf.tracking.store import tracking_uri
from fit_project import PROJECT, project
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


def test_a_score_that_one_prediction_for_all_texts_reaches_is_told(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    at = document.model_copy(update={"majority_baseline": document.score.mean})
    above = document.model_copy(update={"majority_baseline": document.score.mean - 0.001})
    assert majority_note(at).startswith(", no better than one prediction for all texts, which has ")
    assert majority_note(above) == ""


def test_the_card_says_what_else_the_validation_texts_have_chosen(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    pulled = UsedSchedule(name="tiny-alf-1", digest="0" * 64, model="alf-tiny", version=1)
    searched, published = (
        model_card(document.model_copy(update={"schedule": schedule}))
        for schedule in (pulled, pulled.model_copy(update={"model": None, "version": None}))
    )
    assert "found on the validation texts, by which the schedule was chosen, too." in searched
    for card in (published, model_card(document.model_copy(update={"schedule": None}))):
        assert "The temperature was found on the validation texts. " in card


@pytest.mark.parametrize(
    ("text", "own", "mlflow", "pipeline"),
    [
        ("text", '["a text"]', '["a text"]', '["a text"]'),
        (
            ("premise", "hypothesis"),
            '[("a text", "another text")]',
            '[["a text", "another text"]]',
            '[{"text": "a text", "text_pair": "another text"}]',
        ),
        (JoinedText(join=("title", "body", "pros")), '["a text"]', '[["title", "body", "pros"]]', '["a text"]'),
    ],
    ids=["text", "pair", "joined"],
)
def test_the_code_of_a_card_has_texts_as_the_classifier_takes_them(done, text, own, mlflow, pipeline):
    card = model_card(FitDocument.read(done.paths.document("fit", "tiny")).model_copy(update={"text": text}))
    assert f"probabilities = classifier.probabilities({own})\n" in card
    assert f".predict({mlflow}))\n" in card
    assert f"({pipeline}, truncation=True))\n" in card


def test_the_recipe_of_a_card_says_what_is_not_usual(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    changed = {"class_weights": "balanced", "keep": "best", "pooler": "frozen"}
    recipe = document.recipe.model_copy(update=changed)
    (row,) = (
        line
        for line in model_card(document.model_copy(update={"recipe": recipe})).splitlines()
        if line.startswith("| recipe |")
    )
    assert row.endswith(" curve, the pre-trained pooler frozen, classes weighted in the loss, best epoch kept |")


def test_card_and_help_say_what_transformers_does_not_compute(done):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    card = model_card(document.model_copy(update={"is_pipeline": False}))
    assert "does not compute this classifier: it reads the first token, and this one the mean of all" in card
    told = CliRunner().invoke(group, ["fit", "--help"]).output
    for word in ("pipeline", "probe", "contrastive", "tfidf", "houlsby", "mean", "head_tail"):
        assert word in told


def test_its_part_of_the_report_shows_the_calibration(done):
    part = FIT.part(done.paths)
    assert "fitted by `baseline`" in part.in_short[0]
    assert "## Classifier `tiny`" in part.section.markdown
    assert "tiny-reliability.png" in part.section.pictures
    version = FitDocument.read(done.paths.document("fit", "tiny")).version
    assert f"registered as `clf-small.tiny` version {version}." in part.in_short[0]
    (line, *_) = map(classifier_line, classifiers_of(done.paths, "tiny"))
    assert line.startswith("Classifier models/tiny: one fit of baseline on 32 texts, registered as ")
    assert line.endswith(". To label a table with it: `finetune-alf predict tiny TABLE`.")
    assert f"clf-small.tiny version {version}; `train_on: all` of " in line
    assert part.classifiers["tiny"].scheme == "baseline"
    assert set(part.classifiers) == {"tiny"}  # that of a scheme of its own stands beside it


def test_its_part_of_the_report_shows_the_confusion_of_the_score(done, tmp_path):
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    found, section = document.confusion, FIT.part(done.paths).section
    assert found.n_right / found.n_texts == document.score.mean
    assert [each.name for each in found.classes] == ["negative", "positive"]
    assert [each.n_true for each in found.classes] == [20, 20]
    assert "### What the classifier gets wrong" in section.markdown
    assert f"{40 - found.n_right} of 40 test texts are wrong. `finetune-alf errors tiny` lists them" in section.markdown
    assert "tiny-errors.png" in section.pictures
    earlier = Paths(tmp_path)
    earlier.document("fit", "tiny").parent.mkdir(parents=True)
    document.model_copy(update={"confusion": None}).write(earlier.document("fit", "tiny"))
    assert "gets wrong" not in FIT.part(earlier).section.markdown


def test_a_saved_classifier_is_not_fitted_again_and_one_that_is_damaged_is(done):
    before, saved = len(ledger_lines(done)), weights(done)
    document = FitDocument.read(done.paths.document("fit", "tiny"))
    told = CliRunner().invoke(group, ["fit", "tiny", "--root", str(done.paths.root)])
    assert told.exit_code == 0
    first, found = told.stdout.splitlines()
    assert first == "fit tiny: baseline on 32 texts of films, 4 epochs"
    assert found.startswith("Up to date, nothing is fitted again: models/tiny: baseline, test accuracy ")
    assert told.stdout.endswith(f"registered as clf-small.tiny version {document.version}\n")
    assert FitDocument.read(done.paths.document("fit", "tiny")) == document
    assert len(ledger_lines(done)) == before
    (done.paths.model("tiny") / "model.safetensors").write_bytes(b"cut off")
    ctx = context_of(done.paths.root)
    FIT.run(ctx, "tiny")
    assert ctx.console.lines[-1].startswith("models/tiny: baseline, test accuracy ")
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
    for mean, scheme in ((0.01, "tfidf"), (-0.01, "baseline")):
        planted = document.model_copy(update={"schemes": transfer_in_which(mean)})
        planted.write(ctx.paths.document("transfer", "tiny", "films"))
        assert chosen_scheme(ctx, "tiny", FitSpec()).scheme.label == scheme
    assert chosen_scheme(ctx, "tiny", FitSpec(scheme="probe")).scheme.pooling == "first"


def test_a_scheme_without_a_recipe_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(InputError, match=r"alf-1 is not registered for tiny.* Take another scheme") as refused:
        check_can_be_fitted(project(tmp_path), "tiny", "alf-1", None)
    assert f"`finetune-alf fit baseline --study tiny --root {tmp_path}`" in str(refused.value)


SAVED = {
    "lora": {"model.safetensors", "config.json", "tokenizer.json"},
    "houlsby": {"adapter.safetensors", "encoder/model.safetensors", "encoder/config.json", "encoder/tokenizer.json"},
    "tfidf": {"words.json", "tfidf.safetensors"},
}


@pytest.fixture(scope="module")
def saved(done):
    """The documents of classifiers by these schemes."""
    fast = "schemes: [{kind: lora, rate: 0.3}, {kind: houlsby, rate: 0.1}, "  # they learn something from 32 texts
    ctx = project(done.paths.root, params=PROJECT.replace("schemes: [", fast, 1))
    for scheme in SAVED:
        fit(ctx, "tiny", scheme)
    return {scheme: FitDocument.read(ctx.paths.document("fit", f"tiny.{scheme}")) for scheme in SAVED}


@pytest.mark.parametrize("scheme", list(SAVED))
def test_every_scheme_of_the_transfer_is_saved_and_answers_as_its_fit_did(done, saved, scheme, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(done.paths.root))
    folder, document = done.paths.model(f"tiny.{scheme}"), saved[scheme]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files >= SAVED[scheme] | {"classifier.json", "README.md"}
    assert not {path.rpartition(".")[2] for path in files} - {"json", "safetensors", "md"}
    classifier, test = load_classifier(folder), open_bench(done, "tiny").only.splits["test"]
    probabilities = classifier.probabilities(test.texts)
    fitted = dict(zip(SAVED, Ledger(done.paths.ledger("fit-tiny")).results[-len(SAVED) :], strict=True))[scheme]
    assert probabilities.argmax(1).tolist() == list(fitted.predictions)
    own = softmax(classifier.logits(test.texts))[range(len(test.labels)), test.labels]
    assert -np.log(own).mean() == pytest.approx(fitted.loss, abs=1e-5)
    assert document.calibration.temperature == classifier.temperature
    registered = mlflow.pyfunc.load_model(f"models:/{document.model}@{scheme}")
    found = registered.predict(list(test.texts))[["probability.negative", "probability.positive"]]
    assert found.to_numpy() == pytest.approx(probabilities, abs=1e-9)


def test_transformers_loads_merged_lora_and_refuses_what_it_cannot_compute(done, saved):
    from transformers import pipeline

    test = open_bench(done, "tiny").only.splits["test"]
    assert saved["lora"].is_pipeline
    folder = done.paths.model("tiny.lora")
    found = pipeline("text-classification", str(folder))(list(test.texts), truncation=True)
    classifier = load_classifier(folder)
    assert [each["label"] for each in found] == list(classifier.names(classifier.probabilities(test.texts)))
    for scheme in ("houlsby", "tfidf"):
        assert not saved[scheme].is_pipeline
        with pytest.raises((OSError, ValueError)):
            pipeline("text-classification", str(done.paths.model(f"tiny.{scheme}")))
        assert "refuses" in (done.paths.model(f"tiny.{scheme}") / "README.md").read_text()


def test_the_cards_say_what_was_fitted(done, saved):
    cards = {scheme: model_card(document) for scheme, document in saved.items()}
    assert "LoRA of rank 8, merged into the weights" in cards["lora"]
    assert "bottlenecks of width 64, in `adapter.safetensors`" in cards["houlsby"]
    assert "logistic regression on TF-IDF of words, without an encoder" in cards["tfidf"]
    assert "tokens of a text" not in cards["tfidf"]
    assert "Longer texts are cut" not in cards["tfidf"]
    assert "holds logistic regression on TF-IDF, fitted on" in FIT.part(done.paths).section.markdown


def test_an_encoder_of_random_weights_is_refused_before_it_is_fitted_unless_none_is_saved(tmp_path):
    ctx = small_context(tmp_path)
    prepare(ctx, "films")
    with pytest.raises(EncoderError, match="tokenizer with files"):
        fit(ctx, "tiny", "baseline")
    assert not ctx.paths.ledger("fit-tiny").exists()
    fit(ctx, "tiny", "tfidf")
    assert read_record(ctx.paths.model("tiny.tfidf")).encoder is None


def test_it_is_planned_as_one_fit(done, quick_probes):
    (stage,) = plan(project(done.paths.root, "recommended"), FIT, "tiny").stages
    assert stage.n_fits == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fit: {}", "fit: {nobody: {}}", "fit.nobody: must be an entry of studies"),
        ("fit: {}", "fit: {minilm: {scheme: alf-2-}}", "fit.minilm.scheme"),
        ("n_test: 72", "n_test: 0", "samples.films.n_test"),
    ],
)
def test_what_does_not_agree_with_other_sections_is_refused(tmp_path, old, new, message):
    text = find_source("default").text.replace(old, new, 1).replace("fit: {}", "fit: {minilm: {}}")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / "params.yaml")

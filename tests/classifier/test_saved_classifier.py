"""Saved classifiers: weights and predictions as they were fitted, in our hands and in those of transformers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from finetune_alf.classifier.calibration import (
    best_temperature,
    calibration_error,
    calibration_of,
    reliability,
    softmax,
)
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import load_classifier, write_folder
from finetune_alf.classifier.probe import probe_of
from finetune_alf.classifier.record import PROBE_FILE, is_saved, read_record
from finetune_alf.classifier.tfidf import TfidfClassifier, tfidf_of
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError
from finetune_alf.jobs.linear import token_features
from finetune_alf.json_files import read_json, write_json
from finetune_alf.linear import cross_validated, cross_validated_sets, tfidf
from finetune_alf.recipe import HoulsbyAdapter, LoraAdapter, ProbeRecipe, TfidfRecipe
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.parts import TaskSplits
from tiny import BAD, GOOD, save_tiny, task_splits, tiny_recipe, tiny_spec

TEXTS, NAMES = (*GOOD, *BAD), ("très mal", "good")
LABELS = (1,) * len(GOOD) + (0,) * len(BAD)
RECIPE = tiny_recipe()


def facts(classifier, recipe):
    logits = classifier.logits(TEXTS)
    calibration = calibration_of(best_temperature(logits, LABELS), logits, LABELS, "validation")
    return {
        "calibration": calibration,
        "scheme": "baseline",
        "recipe": recipe,
        "encoder": classifier.encoder.identity,
        "sample": "0" * 64,
        "fit": "a",
    }


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A fitted classifier, the predictions that its fit scored, and the folder that it is saved in."""
    root = tmp_path_factory.mktemp("fitted")
    encoder = load_encoder(save_tiny(root / "encoder"), 2)
    result = fit(encoder, task_splits(encoder), RECIPE, seed=3)
    classifier = Classifier(encoder, NAMES, RECIPE.max_tokens, "first", "fp32")
    write_folder(root / "saved", classifier, **facts(classifier, RECIPE))
    return classifier, result, root / "saved"


def test_weights_equal_those_of_the_same_fit_to_the_bit(fitted):
    classifier, _, folder = fitted
    encoder = classifier.encoder
    saved = dict(load_classifier(folder).encoder.model.named_parameters())
    encoder.reset(0)
    fit(encoder, task_splits(encoder), RECIPE, seed=3)
    again = dict(encoder.model.named_parameters())
    assert saved.keys() == again.keys()
    assert all(torch.equal(saved[name], again[name]) for name in again)


def test_loaded_predictions_are_those_that_the_fit_scored(fitted):
    classifier, result, folder = fitted
    loaded = load_classifier(folder)
    assert np.array_equal(loaded.logits(TEXTS), classifier.logits(TEXTS))
    texts = [text for pair in zip(GOOD, BAD, strict=True) for text in pair] * 2
    assert loaded.probabilities(texts).argmax(1).tolist() == list(result.predictions)
    assert loaded.names(loaded.probabilities(texts)) == [NAMES[index] for index in result.predictions]
    assert loaded.probabilities(()).shape == (0, 2)


def test_the_pipeline_of_transformers_loads_the_folder_and_gives_the_same_before_calibration(fitted):
    from transformers import pipeline

    classifier, _, folder = fitted
    texts = [*TEXTS, *(f"{text} " * 5 for text in TEXTS)]  # the long ones are cut by both
    found = pipeline("text-classification", str(folder), top_k=None)(texts, truncation=True)
    ours = softmax(classifier.logits(texts))
    for scores, row in zip(found, ours, strict=True):
        by_name = {each["label"]: each["score"] for each in scores}
        assert [by_name[name] for name in NAMES] == pytest.approx(row.tolist(), abs=1e-5)


def test_a_loaded_classifier_is_saved_with_equal_tensors_and_nothing_is_pickled(fitted, tmp_path):
    folder = fitted[2]
    restored = load_classifier(folder)
    record = read_record(folder)
    kept = {name: getattr(record, name) for name in ("calibration", "scheme", "recipe", "encoder", "sample", "fit")}
    write_folder(tmp_path / "again", restored, **kept)
    assert read_record(tmp_path / "again") == record
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_classifier_fitted_in_bf16_runs_in_it_where_the_processor_has_it(
    fitted, tmp_path, monkeypatch, has_bf16, precision
):
    classifier, _, folder = fitted
    own = {name: getattr(read_record(folder), name) for name in ("calibration", "scheme", "recipe", "encoder")}
    write_folder(tmp_path / "saved", replace(classifier, precision="bf16"), **own, sample="0", fit="a")
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: has_bf16)
    assert load_classifier(tmp_path / "saved").precision == precision
    assert load_classifier(tmp_path / "saved", precision="bf16").precision == "bf16"
    assert load_classifier(folder).precision == "fp32"


def test_a_changed_tensor_or_another_fit_is_not_the_saved_one(fitted, tmp_path):
    folder = fitted[2]
    assert is_saved(folder, "a")
    assert not is_saved(folder, "b")
    assert not is_saved(tmp_path, "a")
    with pytest.raises(EncoderError, match=r"cannot read .*classifier\.json"):
        load_classifier(tmp_path)


def test_a_record_with_a_key_too_many_is_refused(fitted, tmp_path):
    write_json(tmp_path / "classifier.json", {**read_json(fitted[2] / "classifier.json"), "code": "x"})
    with pytest.raises(EncoderError, match="code"):
        read_record(tmp_path)


def test_a_probe_predicts_as_its_linear_model_after_loading_too(tmp_path):
    encoder = load_encoder(save_tiny(tmp_path / "encoder"), 2)
    table = TokenTable.of(encoder.tokenize(TEXTS, 12), torch.device("cpu"))
    features = token_features(encoder, table, "mean", "fp32", 64)
    model = cross_validated(features, LABELS, 2, 2, 0)
    classifier = Classifier(encoder, NAMES, 12, "mean", "fp32", probe=probe_of(model))
    expected = model.pipeline.predict_proba(features)
    assert softmax(classifier.logits(TEXTS)) == pytest.approx(expected, abs=1e-5)
    record = write_folder(tmp_path / "saved", classifier, **facts(classifier, ProbeRecipe(max_tokens=12)))
    loaded = load_classifier(tmp_path / "saved")
    assert not record.is_pipeline
    assert np.array_equal(loaded.logits(TEXTS), classifier.logits(TEXTS))
    (tmp_path / "saved" / PROBE_FILE).write_bytes(b"no tensors")
    assert not is_saved(tmp_path / "saved", "a")
    with pytest.raises(EncoderError, match="whole safetensors"):
        load_classifier(tmp_path / "saved")


def bottlenecks_in(folder):
    """The folder of a classifier with bottleneck adapters, and the classifier."""
    recipe = tiny_recipe(adapter=HoulsbyAdapter(width=3))
    encoder = with_adapter(load_encoder(save_tiny(folder / "encoder"), 2), recipe.adapter)
    fit(encoder, task_splits(encoder), recipe, seed=3)
    classifier = Classifier(encoder, NAMES, recipe.max_tokens, "first", "fp32")
    write_folder(folder / "saved", classifier, **facts(classifier, recipe))
    return folder / "saved", classifier


def tfidf_in(folder, longest_ngram=2):
    """The folder of a classifier by TF-IDF, the classifier, and what scikit-learn says of its texts."""
    inputs, vectorizer = tfidf(TEXTS, longest_ngram)
    model = replace(cross_validated(inputs, LABELS, 2, 2, 0), vectorizer=vectorizer)
    classifier = TfidfClassifier(tfidf_of(model, longest_ngram), NAMES)
    recipe = TfidfRecipe(longest_ngram=longest_ngram)
    own = {"scheme": "tfidf", "recipe": recipe, "encoder": None, "sample": "0" * 64, "fit": "a"}
    logits = classifier.logits(TEXTS)
    write_folder(folder / "saved", classifier, calibration=calibration_of(1.5, logits, LABELS, "test"), **own)
    return folder / "saved", classifier, model.pipeline.predict_proba(inputs)


def test_bottlenecks_lie_beside_their_encoder_and_are_loaded_with_it(tmp_path):
    folder, classifier = bottlenecks_in(tmp_path)
    loaded, record = load_classifier(folder), read_record(folder)
    assert np.array_equal(loaded.logits(TEXTS), classifier.logits(TEXTS))
    assert set(record.digests) == {"encoder/model.safetensors", "adapter.safetensors"}
    assert not record.is_pipeline
    assert not (folder / "config.json").exists()


def test_tfidf_predicts_as_its_linear_model_after_loading_too(tmp_path):
    folder, classifier, expected = tfidf_in(tmp_path)
    loaded, record = load_classifier(folder), read_record(folder)
    assert softmax(loaded.logits(TEXTS)) == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(loaded.logits(TEXTS), classifier.logits(TEXTS))
    assert loaded.temperature == 1.5
    assert loaded.probabilities(()).shape == (0, 2)
    assert loaded.logits([("a fine", "warm day")]) == pytest.approx(classifier.logits(["a fine warm day"]))
    assert (record.kind, record.max_tokens, record.is_pipeline) == ("tfidf", None, False)
    assert {file.name for file in folder.iterdir()} == {"classifier.json", "words.json", "tfidf.safetensors"}


def test_tfidf_of_several_classes_gives_each_its_own_probability(tmp_path):
    inputs, vectorizer = tfidf(TEXTS, 1)
    sets = [(0,) if index % 2 else (0, 1) if index % 4 else (1,) for index in range(len(TEXTS))]
    model = replace(cross_validated_sets(inputs, sets, 2, 2, 0), vectorizer=vectorizer)
    classifier = TfidfClassifier(tfidf_of(model, 1), NAMES, problem_type="multi_label", label_separator=" + ")
    own = {"scheme": "tfidf", "recipe": TfidfRecipe(), "encoder": None, "sample": "0" * 64, "fit": "a"}
    calibration = calibration_of(1.0, classifier.logits(TEXTS), sets, "test", "multi_label")
    write_folder(tmp_path / "saved", classifier, calibration=calibration, **own)
    loaded = load_classifier(tmp_path / "saved")
    assert loaded.probabilities(TEXTS) == pytest.approx(model.pipeline.predict_proba(inputs), abs=1e-12)
    names = [" + ".join(NAMES[index] for index in each) for each in model.predict(inputs)]
    assert loaded.names(loaded.probabilities(TEXTS)) == names


def words_of(folder, change):
    words = read_json(folder / "words.json")["words"]
    write_json(folder / "words.json", {"words": change(words)})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / "words.json").write_text("{"), "must have words as"),
        (lambda folder: (folder / "words.json").unlink(), r"cannot read .*words\.json"),
        (lambda folder: words_of(folder, lambda words: words[1:]), "idf must be finite, of the shape"),
        (lambda folder: words_of(folder, lambda words: [words[1], *words[1:]]), "each word once"),
        (lambda folder: words_of(folder, lambda words: [1, *words[1:]]), "must have words as"),
        (lambda folder: (folder / "tfidf.safetensors").write_bytes(b"torn"), "whole safetensors"),
    ],
)
def test_damaged_words_or_numbers_are_refused_and_are_not_the_saved_ones(tmp_path, harm, message):
    folder, _, _ = tfidf_in(tmp_path)
    assert is_saved(folder, "a")
    harm(folder)
    assert not is_saved(folder, "a")
    with pytest.raises(EncoderError, match=message):
        load_classifier(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digests": {"../encoder/model.safetensors": "0"}}, "digests"),
        ({"kind": "fine-tuned"}, "unless its kind is tfidf"),
        ({"max_tokens": 12, "pooling": "first", "encoder": "x"}, "unless its kind is tfidf"),
    ],
)
def test_a_record_that_names_other_files_or_disagrees_with_its_kind_is_refused(tmp_path, changes, message):
    folder, _, _ = tfidf_in(tmp_path)
    write_json(folder / "classifier.json", {**read_json(folder / "classifier.json"), **changes})
    with pytest.raises(EncoderError, match=message):
        load_classifier(folder)


def test_lora_that_is_not_merged_is_not_saved(tmp_path):
    encoder = with_adapter(load_encoder(save_tiny(tmp_path / "encoder"), 2), LoraAdapter(rank=2))
    classifier = Classifier(encoder, NAMES, 12, "first", "fp32")
    recipe = tiny_recipe(adapter=LoraAdapter(rank=2))
    with pytest.raises(EncoderError, match="Merge it"):
        write_folder(tmp_path / "saved", classifier, **facts(classifier, recipe))
    assert not (tmp_path / "saved").exists()


def test_random_weights_are_not_saved_and_leave_no_folder(tmp_path):
    classifier = Classifier(load_encoder(tiny_spec(), 2), NAMES, 12, "first", "fp32")
    with pytest.raises(EncoderError, match="tokenizer with files"):
        write_folder(tmp_path / "saved", classifier, **facts(classifier, RECIPE))
    assert not (tmp_path / "saved").exists()


def test_the_temperature_undoes_a_planted_one():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)  # drawn from softmax(logits)
    assert best_temperature(logits * 3, labels) == pytest.approx(3, rel=0.05)
    found = calibration_of(3.0, logits * 3, labels, "test")
    assert found.error_after < 0.02 < 0.1 < found.error_before


def test_where_everything_is_right_the_temperature_is_finite_and_no_probability_is_1():
    logits = np.array([[4.0, 0.0], [0.0, 4.0]] * 20)
    probabilities = softmax(logits / best_temperature(logits, [0, 1] * 20))
    assert 0.9 < probabilities.max() < 0.999


def test_the_calibration_error_is_the_mean_distance_weighted_by_the_size_of_bins():
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2)
    bins = reliability(probabilities, [0, 0, 1, 1, 0, 0])
    assert [(each.n, each.accuracy) for each in bins] == [(2, 1.0), (4, 0.5)]
    assert calibration_error(bins) == pytest.approx((2 * 0.4 + 4 * 0.4) / 6)


FILLER = "day people words here bread day people words here bread day people"


@pytest.fixture(scope="module")
def verdict_last(tmp_path_factory):
    """Splits of long texts whose last word alone says their class, and an encoder for them."""
    encoder = load_encoder(save_tiny(tmp_path_factory.mktemp("verdict") / "encoder"), 2)
    texts = [f"{FILLER} {word}" for word in ("warm", "cold", "fine", "grim", "kind", "sad")] * 4

    def splits(truncation):
        table = TokenTable.of(encoder.tokenize(texts, 8, truncation), torch.device("cpu"))
        split = TokenizedSplit(table, torch.tensor([1, 0] * 12))
        return TaskSplits(split, split, split)

    return encoder, texts, splits


@pytest.mark.parametrize(("truncation", "is_learned"), [("head", False), ("tail", True), ("head_tail", True)])
def test_a_word_at_the_end_of_long_texts_is_learned_saved_and_predicted_where_the_end_is_kept(
    verdict_last, tmp_path, truncation, is_learned
):
    encoder, texts, splits = verdict_last
    recipe = tiny_recipe(max_tokens=8, truncation=truncation, epochs=12)
    result = fit(encoder, splits(truncation), recipe, seed=3)
    assert (result.score == 1) == is_learned
    classifier = Classifier(encoder, NAMES, 8, "first", "fp32", truncation=truncation)
    record = write_folder(tmp_path / "saved", classifier, **facts(classifier, recipe))
    loaded = load_classifier(tmp_path / "saved")
    assert loaded.probabilities(texts).argmax(1).tolist() == list(result.predictions)
    assert (record.truncation, record.is_pipeline) == (truncation, truncation != "head_tail")
    if record.is_pipeline:
        from transformers import pipeline

        found = pipeline("text-classification", str(tmp_path / "saved"))(texts, truncation=True)
        assert [NAMES.index(each["label"]) for each in found] == list(result.predictions)

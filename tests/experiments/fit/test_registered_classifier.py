"""Registered classifiers: once for each digest, with what they come from, and predicting as the saved ones do."""

import re
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.pyfunc import LoadedClassifier
from finetune_alf.classifier.registered import scheme_alias
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.encoder.load import load_encoder
from finetune_alf.experiments.fit import stage
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.rates import LayerRates
from finetune_alf.report.numbers import estimate
from finetune_alf.running.bench import open_bench
from finetune_alf.schedules.push import push
from finetune_alf.schedules.registry import Registry
from finetune_alf.tracking.models import MODEL_DIGEST_TAG
from finetune_alf.tracking.store import open_store, tracking_uri
from fit_project import project
from small_project import context_of
from tiny import save_tiny, tiny_schedule

NAME = "clf-small.tiny"
PAGE = Path(__file__).parents[3] / "docs" / "experiments" / "fit.md"


@pytest.fixture
def store(done, monkeypatch):
    """The store of the project, as its user reads it."""
    uri = tracking_uri(done.paths.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return open_store(uri)


def again(done, scheme=None):
    """Fit the baseline again, as params.yaml or the command line names it."""
    ctx = project(done.paths.root)
    stage.fit(ctx, "tiny", scheme)
    return FitDocument.read(ctx.paths.document("fit", f"tiny.{scheme}" if scheme else "tiny"))


def versions(store):
    return list(store.search_model_versions(f"name = '{NAME}'"))


def logged(store, document):
    (digest,) = {each.tags[MODEL_DIGEST_TAG] for each in versions(store) if int(each.version) == document.version}
    experiments = [each.experiment_id for each in store.search_experiments()]
    return store.search_logged_models(experiments, filter_string=f"tags.`{MODEL_DIGEST_TAG}` = '{digest}'")


@pytest.mark.parametrize("scheme", ["baseline", "probe"])
def test_mlflow_predicts_as_the_saved_classifier_does(done, store, scheme):
    document = again(done, scheme)
    assert document.folder == f"models/tiny.{scheme}"
    texts = [*open_bench(done, "tiny").only.splits["test"].texts, " "]
    classifier = load_classifier(done.paths.root / document.folder)
    expected = classifier.probabilities(texts[:-1])
    for uri in (f"models:/{NAME}/{document.version}", f"models:/{NAME}@{scheme}"):
        found = mlflow.pyfunc.load_model(uri).predict(texts)
        assert list(found) == ["label", "probability", "probability.negative", "probability.positive"]
        assert found["label"].tolist()[:-1] == list(classifier.names(expected))
        assert found[["probability.negative", "probability.positive"]].to_numpy()[:-1].tolist() == expected.tolist()
        assert found["probability"].tolist()[:-1] == expected.max(1).tolist()
        assert found.iloc[-1].isna().all()  # white space alone


def test_the_code_of_the_page_predicts(done, store, monkeypatch, capsys):
    again(done)
    stores = []
    monkeypatch.setattr(mlflow, "set_tracking_uri", stores.append)  # the environment names the store already
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert "models:/clf-reviews.minilm@current" in code
    exec(code.replace("clf-reviews.minilm", NAME), {})  # noqa: S102 - the document's own
    assert stores == ["sqlite:///mlruns/mlflow.db"]
    assert "probability.positive" in capsys.readouterr().out


def test_the_model_is_data_with_a_signature_and_says_where_it_comes_from(done, store, tmp_path):
    document = again(done)
    (model,) = logged(store, document)
    version = store.get_model_version(NAME, str(document.version))
    assert (
        version.tags.items()
        >= {
            "alf.scheme": "baseline",
            "alf.study": "tiny",
            "alf.sample.digest": document.sample.digest,
            "alf.score": f"{document.score.mean:.6g}",
            "alf.score.low": f"{document.score.low:.6g}",
            "alf.train_on": "train",
        }.items()
    )
    assert not [tag for tag in version.tags.values() if str(done.paths.root.parent) in tag]
    assert version.description.startswith("A classifier of `negative`, `positive`: `tiny`, fitted by `baseline` on ")
    assert f"* test accuracy: {estimate(document.score)}, on {document.n_texts['test']} texts" in version.description
    assert f'load_model("models:/{NAME}@{document.alias}")' in version.description
    run = store.get_run(version.run_id)
    assert run.info.run_name == "fit tiny"
    assert model.model_id in {each.model_id for each in run.outputs.model_outputs}
    assert [(each.key, each.value) for each in model.metrics] == [("test.accuracy", document.score.mean)]
    folder = tmp_path / "files"
    mlflow.artifacts.download_artifacts(f"models:/{NAME}/{document.version}", dst_path=str(folder))
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names >= {"MLmodel", "requirements.txt", "input_example.json", "model.safetensors", "classifier.json"}
    assert not {name.rpartition(".")[2] for name in names} & {"pkl", "pickle", "bin", "pt", "py"}
    read = mlflow.models.Model.load(str(folder / "MLmodel"))
    assert [each.name for each in read.signature.outputs.inputs] == [
        "label",
        "probability",
        "probability.negative",
        "probability.positive",
    ]
    assert str(done.paths.root.parent) not in (folder / "MLmodel").read_text()
    assert (folder / "data" / "model" / "README.md").read_text() == (done.paths.model("tiny") / "README.md").read_text()


def test_nothing_is_registered_twice_and_equal_classifiers_are_one_version(done, store):
    first = again(done)
    n_versions = len(versions(store))
    assert again(done).version == first.version
    beside = again(done, "baseline")
    assert (beside.version, len(versions(store))) == (first.version, n_versions)
    aliases = store.get_registered_model(NAME).aliases
    assert {int(aliases[name]) for name in ("current", "baseline")} == {first.version}
    assert not [each for each in Registry(tracking_uri(done.paths.root)).list() if each.model == NAME]


def test_a_schedule_is_named_with_its_version_and_digest(done, store):
    schedule = tiny_schedule(LayerRates.of(0, [0, 1e-3, 1e-2], 1e-2))
    pushed = push(schedule, "alf-tiny@alf-1", tracking_uri(done.paths.root))
    document = again(done, "alf-tiny@alf-1")
    assert document.folder == "models/tiny.alf-tiny@alf-1"
    tags = store.get_model_version(NAME, str(document.version)).tags
    assert {tag: value for tag, value in tags.items() if tag.startswith("alf.schedule")} == {
        "alf.schedule": schedule.name,
        "alf.schedule.digest": schedule.digest,
        "alf.schedule.model": "alf-tiny",
        "alf.schedule.version": str(pushed.version),
    }
    assert f"version {pushed.version} of `alf-tiny`" in (done.paths.root / document.folder / "README.md").read_text()
    assert "alf-tiny-alf-1" in store.get_registered_model(NAME).aliases


@pytest.mark.parametrize("step", ["log_model_artifacts", "create_model_version"])
def test_what_a_kill_left_out_is_registered_at_the_next_start_and_once(done, store, monkeypatch, step):
    def killed(*_, **__):
        raise KeyboardInterrupt

    ctx, n_versions = project(done.paths.root, "probe", seed=len(step)), len(versions(store))
    with monkeypatch.context() as stopped:
        stopped.setattr(f"mlflow.MlflowClient.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            stage.fit(ctx, "tiny")
    n_fits = len(ctx.paths.ledger("fit-tiny").read_text().split())
    assert len(versions(store)) == n_versions
    stage.fit(context_of(ctx.paths.root), "tiny")
    document = FitDocument.read(ctx.paths.document("fit", "tiny"))
    assert len(ctx.paths.ledger("fit-tiny").read_text().split()) == n_fits
    assert len(versions(store)) == n_versions + 1 == document.version
    assert [each.status for each in logged(store, document)] == ["READY"]


@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_the_columns_of_pairs_and_joined_texts_have_any_names(tmp_path, kind):
    names = ("short", "long")
    classifier = Classifier(load_encoder(save_tiny(tmp_path / "encoder"), 2), names, 12, "first", "fp32")
    table = pd.DataFrame({"a": ["good film", None], "b": ["bad", "good"]}, index=[3, 4], dtype=kind)
    found = LoadedClassifier(classifier, ("first", "second")).predict(table)
    (expected,) = classifier.probabilities([("good film", "bad")]).tolist()
    assert found.loc[3, ["probability.short", "probability.long"]].tolist() == expected
    assert found.loc[3, "label"] == names[expected.index(max(expected))]
    assert found.loc[4].isna().all()
    joined = LoadedClassifier(classifier, JoinedText(join=("title", "body"), by=". ")).predict(table)
    expected = classifier.probabilities(["good film. bad", "good"]).tolist()
    assert joined[["probability.short", "probability.long"]].to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("scheme", "alias"),
    [("alf-1", "alf-1"), ("distilbert.x@y", "distilbert-x-y"), ("v3", "scheme-v3"), ("current", "scheme-current")],
)
def test_an_alias_is_one_that_mlflow_takes(scheme, alias):
    assert scheme_alias(scheme) == alias

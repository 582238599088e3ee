"""`params check` refuses schemes by which the head alone learns where it does not, before a search of hours."""

import pytest
import yaml

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params
from finetune_alf.params.presets import find_source

STILL = "{rates: {head: 0}}"
CONTRASTIVE = "{pooling: mean, objective: {kind: contrastive}}"
LABELS = (
    "labels: {{few: {{encoder: minilm, samples: [films], n_train: [16], n_validation: 8, schemes: {schemes}, "
    "recipe: {{rates: {{kind: uniform, rate: 1e-5, head: 0}}, epochs: 1, batch: 8, max_tokens: 16}}}}}}"
)


def told(tmp_path, *lines):
    (tmp_path / "over.yaml").write_text("\n".join(lines))
    with pytest.raises(ParamsError) as found:
        load_params(tmp_path / "none.yaml", ["default", str(tmp_path / "over.yaml")])
    return str(found.value)


@pytest.mark.parametrize(
    ("recipe", "why"), [(STILL, "recipe.rates.head is 0"), (CONTRASTIVE, "under recipe.objective it does not learn")]
)
def test_feature_extraction_of_a_transfer_needs_a_head_that_learns(tmp_path, recipe, why):
    line = told(tmp_path, f"studies: {{minilm: {{recipe: {recipe}}}}}")
    message = f"must not have feature_extraction, by which the head alone learns, since {why} in study minilm"
    assert f"transfer.schemes.0: {message}" in line


def test_it_is_told_of_the_default_schemes_too(tmp_path):
    default = tmp_path / "params.yaml"
    params = yaml.safe_load(find_source("default").text)
    params["transfer"].pop("schemes")
    params["studies"]["minilm"]["recipe"]["rates"]["head"] = 0
    default.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match=r"transfer\.schemes: must not have feature_extraction"):
        load_params(default)


def test_a_classifier_and_labels_are_not_fitted_by_it(tmp_path):
    study = f"studies: {{minilm: {{recipe: {STILL}}}}}"
    transfer = "transfer: {schemes: [baseline, {kind: feature_extraction, name: head}]}"
    lines = told(tmp_path, study, transfer, "fit: {minilm: {scheme: head}}", LABELS.format(schemes="[baseline, tfidf]"))
    assert "fit.minilm.scheme: must not be head, by which the head alone learns" in lines
    assert "transfer.schemes.1: must not have head, by which" in lines
    assert "labels.few" not in lines
    few = LABELS.format(schemes="[baseline, feature_extraction]")
    assert "labels.few: schemes must not have feature_extraction, by which" in told(tmp_path, few)


def test_other_schemes_are_allowed(tmp_path):
    (tmp_path / "over.yaml").write_text(
        f"studies: {{minilm: {{recipe: {STILL}}}}}\ntransfer: {{schemes: [baseline, alf-1, uniform, probe]}}"
    )
    load_params(tmp_path / "none.yaml", ["default", str(tmp_path / "over.yaml")])

"""The golden table: one wrong thing in the default parameters, and what is said about it."""

import re
from pathlib import Path

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params
from finetune_alf.params.presets import find_source

DEFAULT = find_source("default").text


def told(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value).replace(str(path), "params.yaml").splitlines()


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if part in line)


BOOK = [
    ("epochs: 4", "epocs: 4", "studies.minilm.recipe.epocs: unknown key (did you mean epochs?)"),
    ("n_trials: 16", "n_trials: 0", "studies.minilm.n_trials: must be greater than or equal to 1, but got 0"),
    ("n_trials: 16", "n_trials: yes", 'studies.minilm.n_trials: must be a valid integer, but got "yes"'),
    ("n_trials: 16", "n_trials: 4e1", "studies.minilm.n_trials: must be a valid integer, but got 40.0"),
    ("n_trials: 16", "n_trials: 12:30:45", 'studies.minilm.n_trials: must be a valid integer, but got "12:30:45"'),
    ("n_trials: 16", "n_trials: 2020-01-01", "studies.minilm.n_trials: must not be a date, but got 2020-01-01"),
    ("n_trials: 16", "n_trials: 040", "studies.minilm.n_trials: must be a number without leading zeros, but got 040"),
    ("n_trials: 16", "n_trials: .inf", "studies.minilm.n_trials: must be a finite number, but got .inf"),
    (
        "batch: 8",
        "batch: 65",
        "studies.minilm.recipe.batch: must be at most the n_train of sample films, 64, but got 65",
    ),
    ("rate: 5e-5", "rate: -5e-5", "recipe.rates.rate: must be greater than or equal to 0, but got -5e-05"),
    ("rate: 5e-5", "rate: 5e-3", "studies.minilm.recipe: rates must be at most 1e-4 for embeddings and layers"),
    ("5e-5, 1e-4]", "5e-5, 1e-3]", "studies.minilm: space must be at most 1e-4"),
    (
        "kind: uniform",
        "kind: unifrom",
        "recipe.rates.kind: must be one of uniform, decayed, spread, frozen_below, listed",
    ),
    ("sampler: {kind: tpe}", "sampler: cmaes", "studies.minilm.sampler: must be tpe or random or qmc, but got cmaes"),
    (
        "encoder: minilm",
        "encoder: minlm",
        "must be an entry of encoders (minilm), but got minlm (did you mean minilm?)",
    ),
    ("sample: films", "sample: film", "studies.minilm.sample: must be an entry of samples"),
    (
        "studies: [minilm]",
        "studies: [minilm, bert]",
        "transfer.studies.1: must be an entry of studies (minilm), but got",
    ),
    (
        "domain: films",
        "domain: film",
        "samples.films.source.domain: must be 'films', 'restaurants', 'gadgets' or 'travel'",
    ),
    *(
        ("n_test: 72", f"n_test: 72\n    problem_type: {kind}", "samples.films.problem_type: must be 'classification'")
        for kind in ("regresion", "[regression]", "{kind: regression}")
    ),
    ("n_test: 72", "n_tset: 72", "samples.films.n_test: must be given, but is missing"),
    *(
        ("n_test: 72", f"n_test: {n}", f"n_test: must be above 1, since transfer is scored on these rows, but got {n}")
        for n in (0, 1)
    ),
    (
        "n_confirmation: 72",
        "n_confirmation: 1",
        "films.n_confirmation: must be above 1, since minilm is confirmed on these rows, but got 1",
    ),
    ("device: auto", "device: gpu", "compute.device: must match pattern"),
    ("n_fused: 1", "n_fused: 0", "compute.n_fused: must be greater than or equal to 1"),
    (
        "n_workers: 1 ",
        "n_workers: 2\n  n_fused: 4 #",
        "compute: n_fused must be 1 with more than one worker, but got 4",
    ),
    (
        "kind: package",
        "kind: packge",
        "encoders.minilm.kind: must be one of hub, folder, adapted, package, random, but got packge",
    ),
    ("path: model", "path: ../model", "encoders.minilm.path: must be a folder inside the package"),
    ("  films:", "  -films:", "samples.-films: must be a name of 1 to 64 lower-case letters"),
    ("  films:", f"  {'f' * 300}:", "must be a name of 1 to 64 lower-case letters"),
    ("  films:", "  ../films:", "samples.../films: must be a name of 1 to 64 lower-case letters"),
    ("  films:", "  🎬:", "samples.🎬: must be a name of 1 to 64 lower-case letters"),
    ("uniform, probe]", "alf-3, probe]", "transfer.schemes.3: must be one of baseline, "),
    ("uniform, probe]", "decaid, probe]", ", or a schedule, but got decaid (did you mean decayed?)"),
    (
        "uniform, probe]",
        "{kind: decayed, factor: 1.5}, probe]",
        "transfer.schemes.3.factor: must be less than or equal to 1, but got 1.5",
    ),
    (
        "uniform, probe]",
        "{kind: schedule, of: bert-alf-3}, probe]",
        "transfer.schemes.3.of: must be a schedule (distilbert-alf-1",
    ),
    (
        "uniform, probe]",
        "{kind: uniform, rate: 1e-5}, probe]",
        "transfer.schemes.3.name: must be given, since uniform is the best single rate that registration found",
    ),
    *(
        (
            "uniform, probe]",
            f"{{kind: {kind}, name: high, rate: 1e-3}}, probe]",
            "transfer.schemes.3: the rate, for study minilm, must be at most 1e-4 for embeddings and layers",
        )
        for kind in ("uniform", "decayed", "contrastive")
    ),
    (
        "batch: 8",
        "batch: 641\n      pooling: mean\n      objective: {kind: contrastive, n_pairs: 10}",
        "studies.minilm.recipe.batch: must be at most the n_train of sample films, 64, times n_pairs, 10, but got 641",
    ),
    ("  n_seeds: 5 #", "  decay: 0.9\n  n_seeds: 5 #", "put {kind: decayed, factor: 0.9} into `schemes`"),
    ("report:", "reprot:", "reprot: unknown key (did you mean report?)"),
    (
        "batch: 8",
        "batch: 8\n      micro_batch: 4",
        "studies.minilm.recipe.micro_batch: unknown key; it says how fits are run",
    ),
    ("batch: 8", "batch: 8\n      precision: bf16", "put it into the section `compute`, as compute.precision"),
    ("precision: auto", "precision: fp16", "compute.precision: must be 'auto', 'fp32' or 'bf16', but got \"fp16\""),
    ("  title:", "  subject:", "report.subject: unknown key; the known ones are title, kept"),
]


@pytest.mark.parametrize(("was", "now", "message"), BOOK)
def test_a_fault_is_named_with_its_line_and_path(tmp_path: Path, was: str, now: str, message: str) -> None:
    assert was in DEFAULT
    text = DEFAULT.replace(was, now, 1)
    lines = told(tmp_path / "params.yaml", text)
    assert any(message in line for line in lines), lines
    assert all(line.startswith("params.yaml:") for line in lines)


@pytest.mark.parametrize(("kind", "index"), [("baseline", 1), ("alf-1", 2), ("uniform", 3)])
def test_what_a_transfer_compares_by_its_name_must_keep_it(tmp_path: Path, kind: str, index: int) -> None:
    schemes = "[feature_extraction, baseline, alf-1, uniform, probe]"
    assert schemes in DEFAULT
    renamed = f"{{kind: {kind}, name: plain}}"
    (line,) = told(tmp_path / "params.yaml", DEFAULT.replace(schemes, schemes.replace(kind, renamed)))
    message = f"transfer.schemes.{index}.name: must be left out, since others are compared with {kind} by its name"
    assert f"{message}, but got plain" in line
    (tmp_path / "params.yaml").write_text(DEFAULT.replace(schemes, schemes.replace(kind, f"{kind}, {renamed}")))
    load_params(tmp_path / "params.yaml")  # beside the one of that name it is one more


def test_a_transfer_takes_validation_texts_unless_all_of_its_schemes_are_linear(tmp_path: Path) -> None:
    before, travel, after = DEFAULT.partition("  travel:")
    text = before + travel + after.replace("n_validation: 72", "n_validation: 0", 1)
    (line,) = told(tmp_path / "params.yaml", text)
    assert "samples.travel.n_validation: must be above 0, since transfer is scored on these rows, but got 0" in line
    linear = "  schemes: [tfidf, probe]"
    (tmp_path / "params.yaml").write_text(re.sub(r"^  schemes: .*\]", linear, text, flags=re.MULTILINE))
    load_params(tmp_path / "params.yaml")


def test_what_the_recipe_of_the_studies_allows_is_accepted(tmp_path: Path) -> None:
    text = DEFAULT.replace("uniform, probe]", "{kind: lora, rate: 1e-3}, {kind: uniform, rate: 1e-4, name: low}]")
    pairs = "batch: 640\n      pooling: mean\n      objective: {kind: contrastive, n_pairs: 10}"
    allowed = DEFAULT.replace("uniform, probe]", "{kind: uniform, rate: 1e-3, name: high}]")
    for number, right in enumerate(
        (
            text,
            DEFAULT.replace("batch: 8", pairs).replace("[feature_extraction, ", "["),
            allowed.replace("batch: 8", "batch: 8\n      allow_forgetting: true"),
        )
    ):
        path = tmp_path / f"{number}.yaml"
        path.write_text(right)
        load_params(path)


def test_line_and_column_are_the_keys_own(tmp_path: Path) -> None:
    text = DEFAULT.replace("epochs: 4", "epocs: 4")
    number = line_of(text, "epocs")
    expected = f"params.yaml:{number}:7 studies.minilm.recipe.epocs: unknown key (did you mean epochs?)"
    assert expected in told(tmp_path / "params.yaml", text)


def test_all_faults_are_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = DEFAULT
    for was, now in (("device: auto", "device: gpu"), ("n_test: 72", "n_test: .nan"), ("n_trials: 16", "n_trials: 0")):
        text = text.replace(was, now, 1)
    lines = told(tmp_path / "params.yaml", text.replace("sample: films", "sample: flims"))
    assert [line.split(" ")[1].rstrip(":") for line in lines] == [
        "compute.device",
        "samples.films.n_test",
        "studies.minilm.sample",
        "studies.minilm.n_trials",
    ]


def test_what_several_sections_ask_of_a_number_is_all_told(tmp_path: Path) -> None:
    (line,) = told(tmp_path / "params.yaml", DEFAULT.replace("n_validation: 72", "n_validation: 0", 1))
    asked = [f"since {what} is scored on these rows, but got 0" for what in ("studies.minilm", "transfer")]
    assert line.partition("n_validation: ")[2].startswith("; ".join(f"must be above 0, {each}" for each in asked))


def test_each_alternative_of_a_union_is_named_once(tmp_path: Path) -> None:
    text = DEFAULT.replace(
        "{kind: uniform, rate: 5e-5, head: 1e-3}", "{kind: frozen_below, n_frozen: some, rate: 1e-5}"
    )
    (line,) = told(tmp_path / "params.yaml", text)
    assert line.endswith("""recipe.rates.n_frozen: must be a valid integer or be 'all', but got "some\"""")


def test_fusing_in_more_than_one_process_is_refused(tmp_path: Path) -> None:
    text = DEFAULT.replace("n_workers: 1", "n_workers: 2").replace("n_fused: 1", "n_fused: 4")
    (line,) = told(tmp_path / "params.yaml", text)
    assert line.endswith("compute: n_fused must be 1 with more than one worker, but got 4; set n_workers to 1")


def test_forgetting_is_refused_unless_it_is_allowed_or_sgd(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    high = DEFAULT.replace("rate: 5e-5, head: 1e-3", "rate: 5e-3, head: 1e-3")
    (line,) = told(path, high)
    assert "catastrophic forgetting" in line
    for way_out in ("allow_forgetting: true", "optimizer: {kind: sgd}"):
        path.write_text(high.replace("batch: 8", f"{way_out}\n      batch: 8"))
        assert load_params(path).studies["minilm"].recipe.rates.highest == 5e-3


FILES = "{kind: files, train: a.csv, text: text, label: label}"


@pytest.mark.parametrize(
    ("was", "now", "place", "message"),
    [
        (": label}", ": text}", "label", "source.label: must be another column than the text, but got 'text' for both"),
        ("n_train: 64", "n_train: all", "n_train", "n_train: must be a number where balance is even, but got all"),
        (": text,", ": {join: [a]},", "join", 'source.text.join: must have at least 2 items, but got ["a"]'),
        ("n_train: 64", "tasks: {}\n    n_train: 64", "source", "source: must be absent beside tasks"),
    ],
)
def test_a_fault_of_a_sample_has_the_place_and_name_of_its_key(
    tmp_path: Path, was: str, now: str, place: str, message: str
) -> None:
    text = DEFAULT.replace("{kind: mini, domain: films}", FILES, 1).replace(was, now, 1)
    line, *others = told(tmp_path / "params.yaml", text)
    number = line_of(text, "train: a.csv" if place != "n_train" else "n_train: all")
    column = text.splitlines()[number - 1].index(f"{place}: ") + 1
    assert line.startswith(f"params.yaml:{number}:{column} samples.films.{message}")
    assert not others or "tasks" in now

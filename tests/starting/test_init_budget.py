"""`finetune-alf init --budget`: a search that fits the time."""

import json
from pathlib import Path

import pytest
from init_tables import init, reviews, write_csv

from finetune_alf.cost.speed import Speed
from finetune_alf.experiments.registry import load_params
from finetune_alf.jobs import loader
from finetune_alf.planning.probe import Probe
from finetune_alf.running.context import ProgressBar


@pytest.mark.usefixtures("quick_probes")
def test_a_budget_sizes_the_search_and_leaves_no_file_behind(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews())
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "20h", "--json")
    assert told.exit_code == 0, told.stderr
    assert "search: 120 trials, 5 seeds; predicted: " in told.stderr
    document = json.loads(told.stdout)
    assert document["guesses"]["label"]["value"] == "verdict"
    assert document["fits_budget"]
    assert "Next: finetune-alf run" in told.stderr
    assert [study.n_trials for study in load_params(tmp_path / "params.yaml").studies.values()] == [120]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".gitignore", "dvc.yaml", "params.yaml", "plots", "reviews.csv"]


@pytest.mark.usefixtures("quick_probes")
def test_what_a_budget_cuts_is_told_once_with_what_the_whole_takes(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "reviews.csv", reviews(400))
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    assert told.exit_code == 0, told.stderr
    names = [line.partition(":")[0] for line in told.stdout.splitlines()]
    assert (names.count("sizes"), names.count("max_tokens"), names.count("cut")) == (1, 1, 1)
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["cut"].startswith(
        "160 rows to train to 40, 16 texts a batch to 8, 24 trials to 8, 5 seeds to 2; the run without a budget is "
    )
    assert lines["sizes"].startswith("40 to train")
    assert lines["sizes"].endswith("(400 different texts, 120 of them in no split; cut to fit the budget)")
    assert lines["search"].startswith("8 trials, 2 seeds (too few for a verdict, which takes 5); predicted: ")
    assert "To know its time beforehand" not in lines
    (study,) = load_params(tmp_path / "params.yaml").studies.values()
    assert study.recipe.batch == 8
    text = (tmp_path / "params.yaml").read_text()
    assert "# of 400 different texts, 120 of them in no split; cut to fit the budget\n" in text
    assert "timing steps: 7/7" in told.stderr
    assert names.index("budget") < names.index("cut")


@pytest.mark.usefixtures("quick_probes")
def test_a_budget_loads_the_encoder_and_times_steps_once_however_many_sizes_it_tries(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_timed, loaded = 0, []
    timed, loads = Probe.speed, loader.load_encoder

    def counted(self: Probe, bar: ProgressBar) -> Speed:
        nonlocal n_timed
        n_timed += 1
        return timed(self, bar)

    monkeypatch.setattr(Probe, "speed", counted)
    monkeypatch.setattr(loader, "load_encoder", lambda *given: loaded.append(given) or loads(*given))
    write_csv(tmp_path / "reviews.csv", reviews(400))
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    assert told.exit_code == 0, told.stderr
    assert "sizes: 40 to train" in told.stdout
    assert n_timed == len(loaded) == 1


@pytest.mark.usefixtures("quick_probes")
def test_where_no_search_fits_the_budget_the_last_lines_say_what_the_smallest_takes_and_what_to_do(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = 0.0
    monkeypatch.setattr("finetune_alf.starting.init.load_average", lambda: load)
    monkeypatch.setattr("finetune_alf.compute.load.STARVED", 0.0)  # whatever else this machine does
    write_csv(tmp_path / "reviews.csv", reviews(400))
    words = (str(tmp_path / "reviews.csv"), "--encoder", tiny, "--budget", "1s")
    told = init(tmp_path, *words)
    search, *_, over, run, fit = told.stdout[told.stdout.index("search: ") :].splitlines()
    predicted = search.removesuffix(", the smallest search, which does not fit the budget").partition("predicted: ")[2]
    assert over == f"over budget: no search fits into 1s; the smallest is written, and predicted to take {predicted}"
    assert run == f"To run it all the same: finetune-alf run --root {tmp_path}"
    assert fit.startswith("Plain fine-tuning alone, one fit without a search: finetune-alf prepare")
    assert fit.endswith(f"finetune-alf fit baseline --root {tmp_path}")
    load = 99.0
    busy = init(tmp_path, *words, "--force")
    assert "The machine is busy" not in told.stdout
    assert busy.stdout.splitlines()[-1].startswith("The machine is busy: when it is not")
    note = busy.stdout.partition("\nnote: This machine is busy: the load average is 99.0")[2]
    assert "Fits take longer than predicted for free cores" in note.partition("\n")[0]  # processor time is predicted
    assert "\nsearch: " not in note
    document = json.loads(init(tmp_path, *words, "--force", "--json").stdout)
    assert not document["fits_budget"]
    assert document["predicted_seconds"] > 1

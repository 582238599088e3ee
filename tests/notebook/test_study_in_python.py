"""Study: a search from Python is the search of the commands, in the same files, and goes on where it stopped."""

import re
import shutil
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import finetune_alf
from finetune_alf import Study
from finetune_alf.cli.entry import group
from finetune_alf.errors import DataError, InputError, ParamsError, ScheduleError
from finetune_alf.json_files import read_json, read_jsonl
from finetune_alf.notebook.console import NotebookConsole
from finetune_alf.notebook.project import in_python
from finetune_alf.rates import UniformRates
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.study.tied_space import LogSpace
from tiny import BAD, GOOD, save_tiny

N_ROWS = 100
FRAME = pd.DataFrame(
    {
        "review": [f"{(GOOD + BAD)[row % 8]} {row}" for row in range(N_ROWS)],
        "verdict": [("good", "bad")[(row % 8 // 4 + (row % 7 == 0)) % 2] for row in range(N_ROWS)],
    }
)
SETTINGS = {
    "epochs": 2,
    "rates": UniformRates(rate=1e-2, head=1e-2),
    "space": LogSpace(low=1e-6, high=1e-2),
    "allow_forgetting": True,
    "precision": "fp32",
    "n_threads": 1,
    "n_seeds": 1,
    "n_top": 2,
    "min_distance": 0.1,
    "n_resamples": 2,
    "schemes": ["baseline", "alf-1"],
}
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "notebook.md"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("encoder") / "small", initializer_range=0.4).path


@pytest.fixture(scope="module")
def make(encoder, empty_store):
    """Return a function that makes a Study in a folder."""

    def study(root, frame=FRAME, text="review", label="verdict", **settings):
        if not (root / "mlruns").exists():
            shutil.copytree(empty_store, root, dirs_exist_ok=True)
        return Study(frame, text, label, encoder, root=root, **({"quiet": True} | SETTINGS | settings))

    return study


@pytest.fixture(scope="module")
def done(make, tmp_path_factory):
    return make(tmp_path_factory.mktemp("done")).run(n_trials=8)


def scores_of(study):
    return study.trials[["accuracy", *(name for name in study.trials if name.startswith("rates."))]]


def test_trials_are_a_table_of_the_records_in_the_files(done):
    lines = read_jsonl(done.root / "results" / "study" / done.name / "trials.jsonl")
    trials = done.trials
    assert list(trials.index) == [line["number"] for line in lines] == list(range(8))
    assert list(trials["accuracy"]) == [line["score"] for line in lines]
    assert list(trials["rates.layer.2"]) == [line["rates"]["layer.2"] for line in lines]


def test_the_best_schedule_and_the_importance_are_those_of_the_stages(done):
    best = read_json(done.root / "results" / "study" / done.name / "best.json")
    assert dict(done.best.rates) == best["rates"]
    document = read_json(done.root / "results" / "importance" / f"{done.name}.json")
    assert done.importance["fanova"].to_dict() == pytest.approx(
        {address: share["mean"] for address, share in document["evaluators"]["fanova"].items()}
    )


def test_every_trial_is_a_run_in_mlflow(done):
    tracker = open_tracker(done._project.context)
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.trial` != ''")
    assert len(runs) == 8


def test_the_commands_find_the_study_done_in_its_folder(done, tmp_path):
    shutil.copytree(done.root, tmp_path / "copy")
    before = (tmp_path / "copy/results/study" / done.name / "trials.jsonl").read_bytes()
    ended = CliRunner().invoke(group, ["study", "--root", str(tmp_path / "copy")])
    assert ended.exit_code == 0, ended.output
    assert "8 trials" in ended.output
    assert (tmp_path / "copy/results/study" / done.name / "trials.jsonl").read_bytes() == before


def test_a_second_study_of_equal_data_goes_on_with_the_first(done, make, tmp_path):
    shutil.copytree(done.root, tmp_path / "copy")
    again = make(tmp_path / "copy", FRAME.copy())
    pd.testing.assert_frame_equal(again.trials, done.trials)
    assert "8 of 24" in repr(again)


class _Interrupting:
    """A console whose bar raises KeyboardInterrupt as the third trial ends, as a stopped cell does."""

    def log(self, text):
        return None

    def doing(self, text):
        return None

    def progress(self, label, total):
        return self

    def __enter__(self):
        self.n_left = 3
        return self

    def __exit__(self, *_):
        return None

    def advance(self, note="", *, step="", is_new=True):
        self.n_left -= 1
        if self.n_left == 0:
            raise KeyboardInterrupt

    def epoch(self, step, number, of, seconds):
        return None


def test_after_an_interrupt_the_trials_are_there_and_the_next_run_ends_as_one_without(done, make, tmp_path):
    study = make(tmp_path / "stopped")
    console, study._project.context = study._project.context, None
    study._project.context = type(console)(console.params, console.paths, _Interrupting())
    study._project._console = _Interrupting()
    with pytest.raises(KeyboardInterrupt):
        study.run(n_trials=5)
    pd.testing.assert_frame_equal(scores_of(study), scores_of(done).head(3))
    with pytest.raises(InputError, match=r"is not finished\. Call run\(\) first"):
        study.importance  # noqa: B018
    again = make(tmp_path / "stopped").run(n_trials=5)
    pd.testing.assert_frame_equal(scores_of(again), scores_of(done).head(5))
    with pytest.raises(InputError, match=r"because it takes 8 complete .*\. Run more trials"):
        again.importance  # noqa: B018


def guide_blocks():
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_guide_runs_as_it_is_printed(done, encoder, tmp_path, monkeypatch, capsys):
    tour, settings, plots, objective, one_fit = guide_blocks()
    FRAME.to_csv(tmp_path / "reviews.csv", index=False)
    shutil.copytree(encoder, tmp_path / "encoder")
    monkeypatch.chdir(tmp_path)
    names = {"study": done, "reviews": FRAME, "Study": partial(Study, encoder=encoder, quiet=True)}
    _, _, after_the_search = tour.partition("study.run(n_trials=20)\n")
    for block in (after_the_search, settings, plots, objective, one_fit):
        exec(block, names)  # noqa: S102 - our own document
    assert set(names["confirmed"].index) >= {"baseline", "alf-1"}
    assert (list(names["tested"].index), set(names["tested"]["texts"])) == (["baseline", "alf-1"], {"texts"})
    schemes = read_json(done.root / "results" / "transfer" / done.name / "texts.json")["schemes"]
    assert names["tested"].loc["alf-1", "difference"] == schemes["alf-1"]["difference"]["mean"]
    assert names["classifier"].label_names == ("bad", "good")
    assert (done.root / "models" / done.name / "README.md").exists()
    assert len(names["mine"].trials) == 5
    score, kept_epoch = capsys.readouterr().out.split()
    assert (0 <= float(score) <= 1, int(kept_epoch) in range(4)) == (True, True)


def test_figures_show_in_a_cell_and_are_saved(done, tmp_path):
    for picture in (done.plot_rates(), done.plot_history(), done.plot_importance(), done.plot_curves()):
        assert picture._repr_mimebundle_()["image/png"].startswith(PNG)
    picture.save(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes() == picture.png()
    assert "8 of 8" in done._repr_html_()


def test_a_folder_with_parameters_is_opened(done):
    pd.testing.assert_frame_equal(Study.open(done.root, quiet=True).trials, done.trials)


def test_a_search_that_has_not_run_says_so(make, tmp_path):
    study = make(tmp_path)
    assert study.trials.empty
    with pytest.raises(InputError, match=r"no trial is complete yet\. Call run\(\) first"):
        study.best  # noqa: B018
    with pytest.raises(InputError, match=r"is not finished\. Call run\(\) first"):
        study.register()


def test_a_classifier_by_a_scheme_without_a_searched_rate_takes_no_search(make, tmp_path):
    study = make(tmp_path)
    assert study.fit("tfidf").predicted(["a text"])[0].shape == (1, 2)
    for scheme in ("recommended", "uniform", "alf-1"):
        with pytest.raises(InputError, match="the search with these settings is not finished"):
            study.fit(scheme)
    with pytest.raises(ParamsError, match=r"scheme: must be recommended, baseline, .*, or a schedule, but got basline"):
        study.fit("basline")


def test_a_row_without_text_is_an_error_with_its_number_and_a_way_out(make, tmp_path):
    frame = FRAME.copy()
    frame.loc[4, "review"] = None
    with pytest.raises(DataError, match=r"row 5: .*on_empty: drop"):
        make(tmp_path, frame)
    assert make(tmp_path, frame, on_empty="drop").sample.card.n_source_rows == N_ROWS - 1


def test_splits_of_their_own_are_test_texts_as_they_are(make, tmp_path):
    test = FRAME.assign(review="other " + FRAME["review"]).head(17)
    study = make(tmp_path, {"train": FRAME, "test": test})
    assert set(study.sample.splits["test"].texts) == set(test["review"])


def test_a_small_table_of_validation_texts_is_used_as_far_as_it_goes(make, tmp_path):
    few = FRAME.assign(review="other " + FRAME["review"]).iloc[[row for row in range(17) if row % 8 < 4 or row < 8]]
    drawn = {"bad": 4, "good": 4}
    study = make(tmp_path, {"train": FRAME, "validation": few})
    assert study.sample.card.counts["validation"] == drawn
    assert study.sample.card.drawn_from["confirmation"] == "train"
    with pytest.raises(DataError, match=r"n_validation: must be at most 0, .*: 100 repeat the text of another row"):
        make(tmp_path / "repeated", {"train": FRAME, "validation": FRAME.iloc[::-1]})._search.check_sample()


def test_what_is_not_named_is_guessed_and_says_what_was_seen(make, tmp_path):
    guesses = make(tmp_path, text=None, label=None).guesses
    assert guesses.loc["text", "value"] == "review"
    assert guesses.loc["label", "seen"] == "2 different values in 100 rows"


def test_a_guess_that_a_setting_takes_the_place_of_is_neither_told_nor_kept(make, tmp_path, capsys):
    whole = make(tmp_path / "whole", quiet=False)
    told = names_of_lines(capsys.readouterr())
    assert {"sizes", "max_tokens", "metric", "task"} <= told & set(whole.guesses.index)
    study = make(tmp_path / "set", quiet=False, max_tokens=24, n_train=20, metric="macro_f1")
    told = names_of_lines(capsys.readouterr())
    assert {"sizes", "in no split", "max_tokens", "metric"}.isdisjoint(told | set(study.guesses.index))
    assert "task" in told & set(study.guesses.index)


def names_of_lines(told):
    return {line.partition(":")[0] for line in (told.out + told.err).splitlines()}


def test_columns_of_a_frame_are_joined_and_settings_of_uneven_and_long_texts_are_those_of_the_recipe(make, tmp_path):
    titles = [None if row % 2 else f"title {row}" for row in range(N_ROWS)]
    frame = FRAME.assign(title=titles)
    study = make(tmp_path, frame, {"join": ["title", "review"]}, class_weights="balanced", truncation="tail")
    texts = {" ".join(filter(None, parts)) for parts in zip(titles, frame["review"], strict=True)}
    assert set(study.sample.splits["train"].texts) < texts
    assert study.guesses.loc["text", "value"] == {"join": ["title", "review"], "by": " "}
    assert (study.recipe.class_weights, study.recipe.truncation) == ("balanced", "tail")
    with pytest.raises(InputError, match=r"text: must be a column, two for pairs, or as in \{'join'"):
        make(tmp_path, frame, {"join": ["title"]})


def test_columns_may_be_numbers_and_come_in_an_index(make, tmp_path):
    frame = pd.DataFrame(FRAME.to_numpy())
    source = make(tmp_path / "numbers", frame, 0, 1).params.samples["texts"].source
    assert (source.text, source.label) == ("0", "1")
    again = make(tmp_path / "index", FRAME, FRAME.columns[:1], FRAME.columns[1:]).params.samples["texts"].source
    assert (again.text, again.label) == ("review", "verdict")


def test_more_columns_of_text_than_a_pair_has_are_joined_or_refused(make, tmp_path):
    frame = FRAME.assign(title="a", id=range(len(FRAME)))
    with pytest.raises(
        InputError, match=r"text: must be a column, two for pairs.*: of 3 columns a text is made by \{'jo"
    ):
        make(tmp_path, frame, ["title", "review", "id"])
    with pytest.raises(DataError, match=r"but got builtins\.str\. Of several files, read each first, as with pandas"):
        make(tmp_path, {"train": "a.csv", "test": "b.csv"})


def test_the_metric_follows_the_task_that_is_named(make, tmp_path):
    rows = [(f"{GOOD[row % 4]} {row}", row % 25 if row < 400 else 0) for row in range(430)]
    frame = pd.DataFrame(rows, columns=["review", "verdict"])
    study = make(tmp_path / "classes", frame, problem_type="classification", labels={"drop": [24]})
    assert (study.params.studies[study.name].metric, study.sample.card.n_classes) == ("balanced_accuracy", 24)
    assert study.guesses.loc["metric", "seen"] == "classes are uneven: each counts the same"
    scores = make(tmp_path / "scores", FRAME.assign(verdict=[row % 2 for row in range(100)]), problem_type="regression")
    assert scores.params.studies[scores.name].metric == "pearson"


def test_labels_apply_before_sizes_and_balance_are_guessed(make, tmp_path):
    frame = pd.DataFrame({"review": [f"{GOOD[row % 4]} {row}" for row in range(300)]})
    labels = {"-1": [row % 3 - 1 for row in range(300)], "POS": [("pos", "POS", "neg")[row % 3] for row in range(300)]}
    for name, labels_setting in (("-1", {"drop": [-1]}), ("POS", {"map": {"POS": "pos"}})):
        study = make(tmp_path / name, frame.assign(verdict=labels[name]), labels=labels_setting)
        assert study.sample.card.n_classes == 2
    with pytest.raises(InputError, match="labels: must be as in a sample"):
        make(tmp_path / "other", FRAME, labels={"skip": [1]})


def test_the_labels_of_a_note_are_an_argument():
    note = """run this again with --labels '{map: {"POS": "pos"}}' --force."""
    assert in_python(note) == """run this again with labels={"map": {"POS": "pos"}}."""


def test_the_columns_that_a_guess_joins_are_an_argument():
    guess = "--text title --text 'the pros' --join takes all as one text, and without --join as a pair"
    expected = 'text={"join": ["title", "the pros"]} takes all as one text, and a list as a pair'
    assert in_python(guess) == expected


def test_columns_of_0_and_1_are_classes(make, tmp_path):
    flags = FRAME.assign(a=[row % 2 for row in range(N_ROWS)], b=[row % 3 == 0 for row in range(N_ROWS)])
    study = make(tmp_path, flags, label=["a", "b"], metric="micro_f1", schemes=["baseline"])
    assert study.sample.card.label_names == ("a", "b")
    assert make(tmp_path / "one", label=["verdict"]).sample.card.n_classes == 2


def test_what_init_says_of_its_options_is_said_of_arguments(make, tmp_path):
    assert make(tmp_path).guesses.loc["text", "seen"] == "named by text=…"
    with pytest.raises(InputError, match=r"^label: must be a column .* Name it: label=…\. It is the only"):
        make(tmp_path, FRAME[["review"]], label=None)


def test_what_the_encoder_denies_is_told_before_a_search(make, tmp_path):
    with pytest.raises(ParamsError, match=r"^studies\.\w+\.recipe\.max_tokens: must be at most \d+, the positions of"):
        make(tmp_path, max_tokens=5000)
    random = {"kind": "random", "seed": 1, "config": {"model_type": "modernbert", "num_hidden_layers": 2}}
    opened = make(tmp_path, schemes=["lora", "baseline"])
    with pytest.raises(ParamsError, match=r"^transfer\.schemes\.0: must not be lora for encoder \w+ \(modernbert\)"):
        opened._project.set(("encoders", opened._project.spec.encoder), random)
    with pytest.raises(
        ScheduleError, match=r"^transfer\.schemes\.1: must be a schedule for the 3 layers of the encoder"
    ):
        make(tmp_path / "other", schemes=["baseline", "distilbert-alf-1"])


def test_an_unknown_setting_is_named_with_the_nearest(make, tmp_path):
    with pytest.raises(ParamsError, match=r"epoch: must be a setting .* but is none \(did you mean epochs\?\)"):
        make(tmp_path, epoch=3)
    with pytest.raises(ParamsError, match=r"^studies\.small\.recipe\.epochs: must be greater than or equal to 1"):
        make(tmp_path, epochs=0)


def test_numbers_of_numpy_and_pandas_are_settings(make, tmp_path):
    frequent = FRAME["verdict"].value_counts().max()
    study = make(
        tmp_path,
        n_train=np.int64(16),
        epochs=frequent - frequent + 2,
        clip=np.float32(0.5),
        schemes=np.array(["baseline"]),
    )
    assert (study.params.samples["texts"].n_train, study.recipe.epochs, study.recipe.clip) == (16, 2, 0.5)
    assert study.params.transfer.schemes
    study._project.set(("studies", study.name, "n_trials"), np.int64(3))
    assert study._project.spec.n_trials == 3


def test_a_value_that_is_no_setting_is_named(make, tmp_path):
    with pytest.raises(ParamsError, match=r"^schemes: must be a number, a text, a list or a dictionary, but got set: "):
        make(tmp_path, schemes={"baseline"})


def test_other_texts_in_the_same_folder_are_noticed(make, tmp_path):
    study = make(tmp_path)
    make(tmp_path, FRAME.head(90))
    with pytest.raises(InputError, match="another Study has put other texts there"):
        study.run(n_trials=2)


def test_a_folder_with_a_params_file_is_not_written_over(make, tmp_path):
    (tmp_path / "params.yaml").write_text("project: mine\n")
    with pytest.raises(InputError, match=r"params\.yaml: there already.*Study\.open"):
        make(tmp_path)


def test_a_file_is_read_where_it_lies(encoder, tmp_path, monkeypatch):
    FRAME.to_csv(tmp_path / "My reviews.csv", index=False)
    monkeypatch.chdir(tmp_path)
    study = Study("My reviews.csv", encoder=encoder, quiet=True, **SETTINGS)
    assert study.root == Path("finetune-alf/my-reviews")
    assert study.sample.card.n_source_rows == N_ROWS


def test_lines_and_bars_are_printed(capsys):
    console = NotebookConsole()
    with console.progress("fits", 2) as bar:
        bar.advance("best .5")
        console.log("one line")
        bar.advance()
    printed = capsys.readouterr()
    assert printed.out == "one line\n"
    assert "fits: 100%" in printed.err


def test_a_bar_of_text_fits_80_columns_and_moves_between_epochs(capsys, monkeypatch):
    drawn = threading.Event()
    monkeypatch.setattr("finetune_alf.running.progress.SECONDS_BETWEEN", 0.01)
    with NotebookConsole().progress("single rate a-study-of-a-name", 12) as bar:
        bar.advance("best 0.750, a-long-key-of-a-fit/seed-3 0.750")
        bar.refresh()
        monkeypatch.setattr(bar, "refresh", drawn.set)
        assert drawn.wait(timeout=60)
    frames = [frame.rstrip() for frame in capsys.readouterr().err.split("\r")]
    assert max(map(len, frames)) <= 80
    assert any(re.search(r"8%\|.{10}\| .*best 0\.750$", frame) for frame in frames)


def test_what_takes_a_while_is_said_in_a_line(capsys):
    NotebookConsole().doing("loading")
    assert capsys.readouterr().out == "loading\n"


@pytest.mark.parametrize("name", sorted(set(finetune_alf.__all__) - {"__version__"}))
def test_every_public_name_is_there(name):
    assert getattr(finetune_alf, name).__doc__

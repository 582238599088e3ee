"""The line that says what to use: strong words where there is a verdict, and how to use it at once."""

import pytest
from report_tree import compared_lock, write_lock, write_study

from fake_comparisons import compared
from fake_locks import too_few
from finetune_alf.paths import Paths
from finetune_alf.register.compare import References
from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.contents import contents_of
from finetune_alf.report.load import load_results
from finetune_alf.report.page import page
from finetune_alf.report.part import DocumentPart, Part
from finetune_alf.report.section import Section
from finetune_alf.report.use import advice, use_in_short

NO = "no evidence of a difference"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    paths = Paths(tmp_path_factory.mktemp("study"))
    write_study(paths)
    return load_results(paths)[0].search.settings


def test_with_too_few_seeds_there_is_no_strong_word(study):
    line = use_in_short("minilm", compared_lock(too_few(0.0)), {}, study)
    assert line.startswith(
        "For `minilm`, 2 seeds are too few for a verdict: plain fine-tuning is the simpler "
        "choice until 5 seeds (`register.n_seeds: 5`) can decide. Its recipe: rate 5e-5 for embeddings and layers, "
        "1e-3 for the head, adamw, batch 8, 4 epochs, constant curve, 48 tokens."
    )
    assert "**" not in line


def test_with_too_few_seeds_a_linear_model_that_is_not_shown_to_score_lower_is_named(study):
    def line(**means):
        tested = {scheme: SchemeDifferences(compared(mean, n_seeds=3)) for scheme, mean in means.items()}
        tested["alf-1"] = SchemeDifferences(compared(0.05, n_seeds=3))
        return use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)

    assert "plain fine-tuning is the simpler choice until 5 seeds" in line(probe=0.01)
    assert "Simpler still is `probe`, which takes seconds: it is not shown to score lower (+.010 [" in line(probe=0.01)
    assert "Simpler still is `tfidf`" in line(probe=0.01, tfidf=0.0)
    assert "Simpler still is `probe`" in line(probe=-0.001, tfidf=-0.4)
    assert "Simpler still" not in line(probe=-0.4)
    settled = {"alf-1": SchemeDifferences(compared(0.0)), "probe": SchemeDifferences(compared(-0.001))}
    assert "Simpler still" not in use_in_short("minilm", compared_lock(too_few(0.0)), settled, study)


def test_with_a_verdict_plain_fine_tuning_stands_with_its_recipe(study):
    line = use_in_short("minilm", compared_lock(compared(0.0, verdict=NO)), {}, study)
    assert line.startswith("**For `minilm`, use plain fine-tuning**: nothing is shown to be better (`alf-1` -.010 [")
    assert "on the confirmation texts, 5 seeds, less the luck of the best candidate). Its recipe: rate 5e-5" in line


def test_a_schedule_stands_with_the_line_that_loads_it(study):
    tested = {
        "alf-1": SchemeDifferences(compared(0.05, 0.001), compared(0.03, 0.01)),
        "probe": SchemeDifferences(compared(-0.05)),
    }
    line = use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)
    assert "use `alf-1`**: it is better than plain fine-tuning, and than the best single rate (`alf-1` +.050" in line
    assert "on the test texts of `films`, 5 seeds, p = .002 corrected over 2 schemes)" in line
    assert 'pull("alf-minilm@alf-1")' in line


def test_the_best_single_rate_stands_with_its_recipe(study):
    line = use_in_short("minilm", compared_lock(compared(0.05, verdict="better"), from_single_rate=-0.01), {}, study)
    assert "use one rate for all layers, 5e-6**" in line
    assert "rate 5e-6 for embeddings and layers, 1e-3 for the head" in line


def test_the_best_single_rate_stands_beside_the_schedule_where_it_was_compared(study):
    tested = {"alf-1": SchemeDifferences(compared(0.0)), "uniform": SchemeDifferences(compared(0.01))}
    line = use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)
    assert "nothing is shown to be better, neither `alf-1` nor the best single rate (`alf-1` .000 [" in line
    assert "corrected over 2 schemes; there one rate for all layers, 5e-6 +.010 [-.030, +.050]). Its recipe" in line


def test_a_single_rate_that_is_the_baselines_own_does_not_stand_beside_it(study):
    found = compared_lock(too_few(0.0))
    baseline = found.references.baseline
    same = found.model_copy(update={"references": References(baseline=baseline, single_rate=baseline)})
    tested = {"alf-1": SchemeDifferences(compared(0.0)), "uniform": SchemeDifferences(compared(0.0))}
    assert "; there" not in use_in_short("minilm", same, tested, study)


def test_what_was_scored_on_other_texts_does_not_stand_beside_the_schedule(study):
    confirmed = compared_lock(compared(0.1, verdict="better"), from_single_rate=0.1)
    line = use_in_short("minilm", confirmed, {"uniform": SchemeDifferences(compared(-0.1, 0.001))}, study)
    assert "use `alf-1`" in line
    assert "; there" not in line


def test_a_linear_model_has_no_recipe_of_fine_tuning(study):
    tested = {"alf-1": SchemeDifferences(compared(0.0)), "tfidf": SchemeDifferences(compared(0.01))}
    line = use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)
    assert "use `tfidf`**: it takes seconds, and scores no lower than plain fine-tuning" in line
    assert "no layer is trained" in line


def test_a_baseline_that_diverged_leaves_it_open():
    found = compared_lock(None)
    diverged = found.model_copy(update={"references": References(baseline=None, single_rate=None)})
    assert "is open**: plain fine-tuning diverged" in use_in_short("minilm", diverged, {}, None)


def test_it_is_the_first_line_of_the_summary_and_takes_what_an_experiment_tested(tmp_path):
    paths = Paths(tmp_path)
    write_study(paths)
    write_lock(paths)
    part = Part(
        (DocumentPart("Another", Section(), ("A line.",)),), {"minilm": {"alf-1": SchemeDifferences(compared(0.0))}}
    )
    written = page("Title", contents_of(load_results(paths), [part])).markdown
    first = written.split("## In short\n\n")[1].splitlines()[0]
    assert first.startswith("- **For `minilm`, use plain fine-tuning**: nothing is shown to be better (`alf-1` .000")
    assert "Go by its test score below." in written


def test_p_are_corrected_over_those_schemes_that_have_one(study):
    tested = {
        "alf-1": SchemeDifferences(compared(0.0)),
        "alf-2": SchemeDifferences(compared(0.01)),
        "uniform": SchemeDifferences(compared(0.01, n_seeds=4)),
    }
    assert "corrected over 2 schemes" in use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)
    assert advice("minilm", compared_lock(too_few(0.0)), tested, study).n_corrected == 2
    del tested["alf-2"]
    assert "corrected over" not in use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)


def test_the_seeds_that_are_too_few_are_those_of_the_comparison_that_decides(study):
    tested = {
        "alf-1": SchemeDifferences(compared(0.0, n_seeds=4)),
        "uniform": SchemeDifferences(compared(0.01, n_seeds=2)),
    }
    assert "`minilm`, 4 seeds are too few" in use_in_short("minilm", compared_lock(too_few(0.0)), tested, study)


@pytest.mark.parametrize(
    ("metric", "is_saved"), [("accuracy", True), ("micro_f1", True), ("pearson", False), ("overall", False)]
)
def test_lines_to_copy_fit_a_classifier_only_where_one_can_be_saved(study, metric, is_saved):
    lock = compared_lock(compared(0.0, verdict=NO)).model_copy(update={"metric": metric})
    found = advice("minilm", lock, {}, study)
    assert found.snippet.startswith("finetune-alf fit --study minilm\n") == is_saved
    assert bool(found.snippet) == is_saved

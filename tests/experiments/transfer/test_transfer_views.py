"""What the pictures of a study show of its transfers: planted documents and predictions."""

import pytest
from fake_transfers import document

from finetune_alf.errors import InputError
from finetune_alf.experiments.transfer.page_errors import errors_section
from finetune_alf.experiments.transfer.views import findings_of
from finetune_alf.figures.confusion import Agreement
from finetune_alf.json_files import write_json
from finetune_alf.paths import Paths

TRUTH = [0, 0, 1, 1]
PREDICTIONS = {
    "baseline": {"7": [0, 0, 1, 0], "8": [0, 0, 1, 0]},
    "alf-1": {"7": [0, 1, 1, 1], "8": [0, 1, 1, 1]},
    "alf-2": {},
}


def write_predictions(paths, truth=TRUTH):
    file = paths.document("transfer", "bert", "films").with_suffix(".predictions.json")
    write_json(file, {"truth": truth, "predictions": PREDICTIONS})


def found(tmp_path, truth=TRUTH, metric="accuracy"):
    paths = Paths(tmp_path)
    documents = [document("bert", sample, metric=metric) for sample in ("films", "gadgets")]
    write_predictions(paths, truth)
    return findings_of(paths, documents)


def test_differences_are_from_the_baseline_and_verdicts_where_they_are_declared(tmp_path) -> None:
    rows = {(row.sample, row.scheme): row for row in found(tmp_path).differences}
    assert "baseline" not in {scheme for _, scheme in rows}
    assert rows["gadgets", "alf-1"].verdict == "better"
    assert (rows["films", "alf-1"].verdict, rows["films", "alf-1"].n_texts) == (None, 1200)
    assert found(tmp_path).scores["alf-1"].mean == 0.81


def test_mistakes_are_summed_over_seeds_and_agreements_over_pairs_of_fits(tmp_path) -> None:
    mistakes = found(tmp_path).mistakes
    assert mistakes.confusions == {"baseline": ((4, 0), (2, 2)), "alf-1": ((2, 2), (0, 4))}
    assert (mistakes.n_divided, mistakes.n_texts, mistakes.n_seeds) == (2, 4, 2)
    assert mistakes.agreements == (
        Agreement(("baseline", "baseline"), 1.0),
        Agreement(("baseline", "alf-1"), 0.2),  # 2 of 4 agree, 3/8 do by chance
        Agreement(("alf-1", "alf-1"), 1.0),
    )


def test_the_page_has_the_errors_of_each_scheme_and_where_they_disagree(tmp_path) -> None:
    paths = Paths(tmp_path)
    write_predictions(paths)
    films = named(document("bert", "films"), ("bad", "good"))
    page = errors_section(paths, [films, document("bert", "gadgets")]).markdown
    assert "| `films` | `baseline` | 2 of 8 (25%) | 2 of good taken for bad |" in page
    assert "| `films` | `alf-1` | 2 of 8 (25%) | 2 of bad taken for good |" in page
    assert "`films`: for 2 of 4 test texts most seeds of one scheme have another answer" in page
    assert "`baseline` and `alf-1` agree least, with a Cohen's kappa of 0.20." in page
    assert "gadgets" not in page


def test_without_kept_predictions_the_page_has_no_errors(tmp_path) -> None:
    assert errors_section(Paths(tmp_path), [document("bert", "films")]).blocks == []


def test_predictions_of_more_classes_than_the_transfer_has_are_refused(tmp_path) -> None:
    paths = Paths(tmp_path)
    write_predictions(paths, truth=[0, 0, 1, 2])
    with pytest.raises(InputError, match=r"films\.predictions\.json: must have the 2 classes .*, but got 3"):
        errors_section(paths, [named(document("bert", "films"), ("bad", "good"))])


def named(transfer, label_names):
    sample = transfer.sample.model_copy(update={"label_names": label_names})
    return transfer.model_copy(update={"sample": sample})


def test_there_are_no_mistakes_where_labels_are_no_classes(tmp_path) -> None:
    assert found(tmp_path, truth=[0.5, 0.2, 0.1, 0.9]).mistakes is None
    assert found(tmp_path, metric="spearman").mistakes is None

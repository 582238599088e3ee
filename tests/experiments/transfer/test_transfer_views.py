"""What the pictures of a study show of its transfers: planted documents and predictions."""

from fake_transfers import document

from finetune_alf.experiments.transfer.views import findings_of
from finetune_alf.figures.confusion import Agreement
from finetune_alf.files import write_json
from finetune_alf.paths import Paths

TRUTH = [0, 0, 1, 1]
PREDICTIONS = {
    "baseline": {"7": [0, 0, 1, 0], "8": [0, 0, 1, 0]},
    "alf-1": {"7": [0, 1, 1, 1], "8": [0, 1, 1, 1]},
    "alf-2": {},
}


def found(tmp_path, truth=TRUTH, metric="accuracy"):
    paths = Paths(tmp_path)
    documents = [document("bert", sample, metric=metric) for sample in ("films", "gadgets")]
    file = paths.document("transfer", "bert", "films").with_suffix(".predictions.json")
    write_json(file, {"truth": truth, "predictions": PREDICTIONS})
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


def test_there_are_no_mistakes_where_labels_are_no_classes(tmp_path) -> None:
    assert found(tmp_path, truth=[0.5, 0.2, 0.1, 0.9]).mistakes is None
    assert found(tmp_path, metric="spearman").mistakes is None

"""docs/results.md is what the report stage makes of docs/results/, and of nothing else."""

from pathlib import Path

from finetune_alf.experiments.registry import BUILT_IN
from finetune_alf.report.kept import kept_page

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_repository_is_made_from_its_kept_results() -> None:
    made = kept_page(ROOT, "docs/results", [experiment.part for experiment in BUILT_IN])
    assert (ROOT / "docs" / "results.md").read_text("utf-8") == made.markdown + "\n", (
        "finetune-alf report writes docs/results.md anew"
    )
    assert {path.name for path in (ROOT / "docs" / "figures").iterdir()} == set(made.pictures)

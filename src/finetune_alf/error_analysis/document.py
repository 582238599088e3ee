"""The document of `finetune-alf errors`, and its findings as rows of one table."""

from collections.abc import Iterator

from finetune_alf.documents import Document, SampleIdentity
from finetune_alf.error_analysis.confusion import Confusion
from finetune_alf.error_analysis.label_errors import LabelErrors
from finetune_alf.error_analysis.schemes import Disagreement, SchemesCompared
from finetune_alf.error_analysis.texts import FoundText
from finetune_alf.error_analysis.wrong import WrongText
from finetune_alf.score_text import score_text

COLUMNS = ("kind", "split", "file", "line", "row", "text", "pair", "label", "predicted", "probability", "detail")
"""The columns of the table of findings; `pair` is the second text of a pair."""

Finding = tuple[object, ...]


class ErrorsDocument(Document):
    """What a classifier gets wrong on a split, and which labels of it and of the training texts are likely wrong.

    `folder` is that of the classifier, `scheme` what it was fitted by. `schemes` is None where no transfer has
    predictions for the split; `notes` say why a part is missing, and what limits the others.
    """

    study: str
    sample: SampleIdentity
    split: str
    folder: str
    scheme: str
    confusion: Confusion
    wrong: tuple[WrongText, ...]
    schemes: SchemesCompared | None
    label_errors: tuple[LabelErrors, ...]
    notes: tuple[str, ...]

    def findings(self) -> Iterator[Finding]:
        """Yield a row of COLUMNS for each text that was found, in the order of the document."""
        for wrong in self.wrong:
            yield _row("wrong", self.split, wrong, wrong.predicted, wrong.probability, "")
        for each in self.schemes.texts if self.schemes else ():
            yield _row("disagreement", self.split, each, None, None, self.answers_in_words(each))
        for part in self.label_errors:
            for error in part.texts:
                detail = f"margin {score_text(error.margin)} by the {part.by}"
                yield _row("label error", part.split, error, error.likely, error.probability, detail)

    def answers_in_words(self, text: Disagreement) -> str:
        """Return the answer of each scheme with the seeds that gave it, as `baseline positive 2/3`."""
        n_seeds = self.schemes.n_seeds if self.schemes else {}
        return ", ".join(
            f"{scheme} {answer.predicted or 'undecided'} {answer.n_seeds}/{n_seeds[scheme]}"
            for scheme, answer in text.answers.items()
        )


def _row(
    kind: str, split: str, found: FoundText, predicted: str | None, probability: float | None, detail: str
) -> Finding:
    text, pair = (found.text, None) if isinstance(found.text, str) else found.text
    return (kind, split, found.file, found.line, found.row, text, pair, found.label, predicted, probability, detail)

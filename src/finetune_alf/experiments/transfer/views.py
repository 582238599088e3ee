"""What transfers found, as the records that the pictures of a study are drawn from."""

from collections.abc import Sequence

from finetune_alf.error_analysis.confusion import confusion
from finetune_alf.error_analysis.schemes import compare_schemes
from finetune_alf.error_analysis.texts import LabelledTexts
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.family import judged_transfers
from finetune_alf.experiments.transfer.predictions import TransferPredictions
from finetune_alf.figures.confusion import Agreement
from finetune_alf.figures.forest import ForestRow
from finetune_alf.files import read_json
from finetune_alf.metrics import PROBLEM_TYPES
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import BASELINE
from finetune_alf.report.mistakes import Mistakes
from finetune_alf.report.views import TransferFindings


def findings_of(paths: Paths, documents: Sequence[TransferDocument]) -> TransferFindings:
    """Return what the transfers of one study found."""
    texts = {document.sample.name: document.sample.n_test for document in documents}
    searched = [document for document in documents if document.sample.name == document.searched_on]
    return TransferFindings(
        differences=tuple(
            ForestRow(
                sample=sample,
                scheme=scheme,
                mean=found.mean,
                low=found.low,
                high=found.high,
                n_texts=texts[sample],
                n_seeds=found.n_seeds,
                p=found.p if found.p_holm is None else found.p_holm,
                verdict=found.verdict,
            )
            for (sample, scheme, reference), found in judged_transfers(documents).items()
            if reference == BASELINE
        ),
        scores={scheme: result.score for document in searched for scheme, result in document.schemes.items()},
        mistakes=next((_mistakes(paths, document) for document in searched), None),
    )


def _mistakes(paths: Paths, document: TransferDocument) -> Mistakes | None:
    """Return what is wrong on a sample; None where labels are no classes, or without the file of predictions."""
    path = paths.document("transfer", document.study, document.sample.name).with_suffix(".predictions.json")
    if not path.exists() or "classification" not in PROBLEM_TYPES[document.metric]:
        return None
    written = read_json(path)
    if not all(type(label) is int for label in written["truth"]):
        return None
    found = TransferPredictions.parse(written, str(path))
    truth, fits = _classes(found.truth), {scheme: [*own.values()] for scheme, own in found.predictions.items()}
    n_classes = 1 + max(max(labels) for labels in (truth, *(_classes(fit) for own in fits.values() for fit in own)))
    names = tuple(map(str, range(n_classes)))
    texts = LabelledTexts([""] * len(truth), truth, names)
    compared = compare_schemes(texts, found.predictions)
    counts = {
        scheme: confusion(truth * len(own), [label for fit in own for label in _classes(fit)], names).counts
        for scheme, own in fits.items()
        if own
    }
    return Mistakes(
        confusions=counts,
        agreements=tuple(Agreement(each.schemes, each.kappa) for each in compared.agreements),
        n_divided=len(compared.texts),
        n_texts=len(truth),
        n_seeds=max(compared.n_seeds.values(), default=0),
    )


def _classes(labels: Sequence[float]) -> list[int]:
    return [int(label) for label in labels]

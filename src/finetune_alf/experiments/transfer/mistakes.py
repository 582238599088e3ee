"""What the schemes of a transfer get wrong, computed from the predictions that it keeps beside its document."""

from collections.abc import Sequence

from finetune_alf.error_analysis.confusion import confusion
from finetune_alf.error_analysis.schemes import compare_schemes
from finetune_alf.error_analysis.texts import LabelledTexts
from finetune_alf.errors import InputError
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.predictions import TransferPredictions
from finetune_alf.figures.confusion import Agreement
from finetune_alf.json_files import read_json
from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.paths import Paths
from finetune_alf.report.mistakes import Mistakes


def mistakes_of(paths: Paths, document: TransferDocument) -> Mistakes | None:
    """Return what is wrong on a sample; None where labels are no classes, or without the file of predictions.

    Raises InputError for a file that is broken, or has a class that the document does not name.
    """
    path = paths.document("transfer", document.study, document.sample.name).with_suffix(".predictions.json")
    if not path.exists() or "classification" not in PROBLEM_TYPES[document.metric]:
        return None
    written = read_json(path)
    if not all(type(label) is int for label in written.get("truth", ())):
        return None
    found = TransferPredictions.parse(written, str(path))
    truth, fits = _classes(found.truth), {scheme: [*own.values()] for scheme, own in found.predictions.items()}
    n_classes = 1 + max(max(labels) for labels in (truth, *(_classes(fit) for own in fits.values() for fit in own)))
    names = document.sample.label_names or tuple(f"class {index}" for index in range(n_classes))
    if n_classes > len(names):
        raise InputError(f"{path}: must have the {len(names)} classes of its transfer, but got {n_classes}.")
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
        names=document.sample.label_names,
    )


def _classes(labels: Sequence[float]) -> list[int]:
    return [int(label) for label in labels]

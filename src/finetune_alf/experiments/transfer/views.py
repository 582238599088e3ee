"""What transfers found, as the records that the pictures of a study are drawn from."""

from collections.abc import Sequence

from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.family import judged_transfers
from finetune_alf.experiments.transfer.mistakes import mistakes_of
from finetune_alf.figures.forest import ForestRow
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import BASELINE
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
        mistakes=next((mistakes_of(paths, document) for document in searched), None),
    )

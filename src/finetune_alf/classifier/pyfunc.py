"""What MLflow loads a registered classifier by: `mlflow.pyfunc` calls `_load_pyfunc` with the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.labelling import added_columns
from finetune_alf.compute.resolved import resolve_device
from finetune_alf.data.rows import is_empty

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier as `mlflow.pyfunc` uses it."""

    classifier: Classifier

    def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """Return label, probability and probability.CLASS for each row, as `finetune-alf predict` adds them.

        The table has one column of texts, or the two of a pair, whatever their names. A row without text has neither
        label nor probabilities.
        """
        import pandas as pd

        rows = model_input.itertuples(index=False, name=None)
        texts = {at: row if len(row) > 1 else row[0] for at, row in enumerate(rows) if not any(map(is_empty, row))}
        probabilities = self.classifier.probabilities(list(texts.values()))
        labels = zip(self.classifier.names(probabilities), probabilities.tolist(), strict=True)
        found = {at: (name, max(own), *own) for at, (name, own) in zip(texts, labels, strict=True)}
        columns = added_columns((), self.classifier.label_names)
        nothing = (None,) * len(columns)
        values = [found.get(at, nothing) for at in range(len(model_input))]
        return pd.DataFrame(values, columns=columns, index=model_input.index)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> LoadedClassifier:
    """Return the classifier of a folder; nothing in it is executed."""
    device = str((model_config or {}).get("device", "auto"))
    return LoadedClassifier(load_classifier(Path(path), str(resolve_device(device))))

"""What MLflow loads a registered classifier by: `mlflow.pyfunc` calls `_load_pyfunc` with the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.labelling import CHUNK, added_columns, labelled
from finetune_alf.classifier.record import read_record
from finetune_alf.classifier.text_classifier import TextClassifier
from finetune_alf.compute.resolved import resolve_device
from finetune_alf.data.text_columns import TextColumns, columns_of
from finetune_alf.errors import RowPlace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier as `mlflow.pyfunc` uses it; `text` says what the columns of its input are."""

    classifier: TextClassifier
    text: TextColumns = "text"

    def predict(self, model_input: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """Return label, probability and probability.CLASS for each row, as `finetune-alf predict` adds them.

        The table has the columns of the text in their order, whatever their names. A row without text has neither label
        nor probabilities.
        """
        import pandas as pd

        table = model_input.astype(object).where(model_input.notna(), None)  # also pandas.NA
        rows = [
            (RowPlace("the table", at, has_lines=False), row)
            for at, row in enumerate(table.itertuples(index=False, name=None), start=1)
        ]
        n = len(columns_of(self.text))
        found = [
            row[n:]
            for start in range(0, len(rows), CHUNK)
            for row in labelled(self.classifier, self.text, rows[start : start + CHUNK], range(n)).rows
        ]
        return pd.DataFrame(found, columns=added_columns((), self.classifier.label_names), index=model_input.index)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> LoadedClassifier:
    """Return the classifier of a folder; nothing in it is executed."""
    device, folder = str((model_config or {}).get("device", "auto")), Path(path)
    classifier = load_classifier(folder, str(resolve_device(device)))
    return LoadedClassifier(classifier, read_record(folder).text or "text")

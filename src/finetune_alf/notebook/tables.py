"""What stages wrote as pandas DataFrames. pandas is imported when the first one is made."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from finetune_alf.errors import InputError
from finetune_alf.experiments.summary import SchemeScore
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.records import TrialRecord

if TYPE_CHECKING:
    import pandas as pd


def html_table(lines: Mapping[str, str]) -> str:
    """Return names and values as a table in HTML."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in lines.items())
    return f"<table>{rows}</table>"


def trials_table(records: Sequence[TrialRecord], metric: str) -> "pd.DataFrame":
    """Return one row a finished trial: its score under the metric's name, its rates by address, and its seconds."""
    return _table((_trial_row(record, metric) for record in records), "trial")


def importance_table(document: LayerImportance) -> "pd.DataFrame":
    """Return one row an address: each evaluator's share with its range over subsamples, and the direction of the rate.

    Raises InputError, with the reason, where nothing could be estimated.
    """
    if document.reason:
        raise InputError(
            f"{document.study}: no importance is estimated, because {document.reason}. Run more trials, as by "
            "study.run(n_trials=20)."
        )
    addresses = dict.fromkeys(address for shares in document.evaluators.values() for address in shares)
    return _table((_importance_row(document, address) for address in addresses), "address")


def schemes_table(schemes: Iterable[SchemeScore]) -> "pd.DataFrame":
    """Return one row a scheme and the texts that score it: the score with its 95 % interval, against the baseline."""
    return _table((_scheme_row(one) for one in schemes), "scheme")


def _table(rows: Iterable[Mapping[str, Any]], index: str) -> "pd.DataFrame":
    import pandas as pd

    listed = list(rows)
    return pd.DataFrame(listed).set_index(index) if listed else pd.DataFrame().rename_axis(index)


def _trial_row(record: TrialRecord, metric: str) -> dict[str, Any]:
    result = record.result
    return {
        "trial": record.number,
        "state": record.state,
        metric: record.score,
        **{f"rates.{address}": rate for address, rate in record.rates.items()},
        "n_epochs": len(result.epochs) if result else 0,
        "seconds": result.seconds if result else None,
        "started": datetime.datetime.fromtimestamp(record.started_ms / 1000, datetime.UTC),
        "repeats": record.repeats,
        "reason": record.reason,
    }


def _importance_row(document: LayerImportance, address: str) -> dict[str, Any]:
    row: dict[str, Any] = {"address": address}
    for evaluator, shares in document.evaluators.items():
        share = shares[address]
        row |= {
            evaluator: share.mean,
            f"{evaluator}.low": share.low,
            f"{evaluator}.high": share.high,
            f"{evaluator}.shuffled": share.shuffled_mean,
        }
    direction = document.direction.get(address)
    return {**row, "rho": direction.rho if direction else None, "p_holm": direction.p_holm if direction else None}


def _scheme_row(one: SchemeScore) -> dict[str, Any]:
    found = one.difference
    return {
        "scheme": one.scheme,
        "texts": one.texts,
        "score": one.score.mean,
        "low": one.score.low,
        "high": one.score.high,
        "difference": found.mean if found else None,
        "difference.low": found.low if found else None,
        "difference.high": found.high if found else None,
        "verdict": found.verdict if found else None,
    }

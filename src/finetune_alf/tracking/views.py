"""Named views of an experiment's runs in MLflow's pages: which runs, in which order, with which columns and charts.

MLflow keeps a view in a tag of the experiment, and opens the one that `viewStateShareKey` in the address names. Its
state is that of the page: JSON, compressed with zlib, because a tag takes 5,000 characters.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

VIEW_TAG = "mlflow.sharedViewState."
"""The tag of a view, before its name."""

TRIALS, CONFIRMATION, TRANSFER = "trials", "confirmation", "transfer"

_SCORE_WIDTH = 190

_CLOSED = ("train", "cost", "movement")
"""Groups of generated charts that a reader opens when they want them."""


@dataclass(frozen=True)
class Columns:
    """What the views of an experiment show: addresses with rates, and the scores of each view's runs by metric."""

    addresses: tuple[str, ...] = ()
    trials: tuple[str, ...] = ()
    confirmation: tuple[str, ...] = ()
    transfer: tuple[str, ...] = ()

    def joined(self, other: "Columns") -> "Columns":
        """Return these columns and those of another study of the experiment; of addresses the deeper encoder's."""
        both = {field.name: (*getattr(self, field.name), *getattr(other, field.name)) for field in fields(Columns)}
        deeper = max(self.addresses, other.addresses, key=len)
        return Columns(**{name: tuple(dict.fromkeys(each)) for name, each in both.items()} | {"addresses": deeper})


def view_tags(columns: Columns, now_ms: int) -> dict[str, str]:
    """Return the tags of the three views."""
    states = {
        TRIALS: ("Trials by score", _trials(columns)),
        CONFIRMATION: ("Confirmation", _confirmation(columns)),
        TRANSFER: ("Transfer", _transfer(columns)),
    }
    return {f"{VIEW_TAG}{key}": _envelope(name, state, now_ms) for key, (name, state) in states.items()}


def _envelope(name: str, state: Mapping[str, Any], now_ms: int) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    return json.dumps({"name": name, "createdAt": now_ms, "updatedAt": now_ms, "state": f"deflate;{packed}"})


def _trials(columns: Columns) -> dict[str, Any]:
    scores = _scores("validation", columns.trials)
    charts = [
        *(_parallel(columns.addresses, score) for score in scores),
        *(_line(_curve(metric), f"{metric} by epoch") for metric in columns.trials),
        _line("validation/loss", "validation loss by epoch"),
        *(_scatter("cost/seconds", score) for score in scores),
    ]
    rates = [_column("params", f"rates.{address}") for address in columns.addresses]
    return {
        **_table("tags.`alf.trial` != ''", scores, rates),
        **_charts("Trials", charts),
    }


def _confirmation(columns: Columns) -> dict[str, Any]:
    scores = _scores("confirmation", columns.confirmation)
    rates = [_column("params", f"rates.{address}") for address in columns.addresses]
    own = [_column("tags", "alf.candidate"), _column("tags", "alf.seed"), *rates]
    return {
        **_table("tags.`alf.candidate` != ''", scores, own),
        **_charts("Confirmation", [_bar(score) for score in scores]),
    }


def _transfer(columns: Columns) -> dict[str, Any]:
    scores = _scores("test", columns.transfer)
    own = [_column("tags", f"alf.{tag}") for tag in ("scheme", "sample", "seed")]
    return {
        **_table("tags.`alf.stage` = 'transfer'", scores, own),
        **_charts("Transfer", [_bar(score) for score in scores]),
    }


def _table(filtered: str, scores: Sequence[str], own: Sequence[str]) -> dict[str, Any]:
    """Return which runs are shown, the highest first by the first score, and their columns."""
    columns = [*(_column("metrics", score) for score in scores), *own]
    order = {"orderByKey": columns[0], "orderByAsc": False} if scores else {}
    return {
        "searchFilter": filtered,
        **order,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": columns,
        "columnOrder": columns,  # MLflow's own is by kind and name, which puts the head before the layers
        "columnWidths": dict.fromkeys(columns[: len(scores)], _SCORE_WIDTH),
        "runsHiddenMode": "FIRST_20_RUNS",
    }


def _charts(section: str, charts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return charts in a section of their own, above those that MLflow makes of all other metrics."""
    own = {"uuid": "alf", "name": section, "display": True, "isReordered": True}
    closed = [{"uuid": f"alf-{name}", "name": name, "display": False, "isReordered": True} for name in _CLOSED]
    numbered = [{**chart, "uuid": f"alf-chart-{n}", "metricSectionId": "alf"} for n, chart in enumerate(charts)]
    return {
        "compareRunCharts": numbered,
        "compareRunSections": [own, *closed],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
    }


def _parallel(addresses: Sequence[str], score: str) -> dict[str, Any]:
    params = [f"rate_log10/{address}" for address in addresses]
    return {"type": "PARALLEL", "selectedParams": params, "selectedMetrics": [score], "showAllRuns": True}


def _line(metric: str, name: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "displayName": name,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "yAxisKey": "metric",
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _bar(metric: str) -> dict[str, Any]:
    return {"type": "BAR", "metricKey": metric, "displayName": metric, "runsCountToCompare": 20}


def _scatter(x: str, y: str) -> dict[str, Any]:
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
    return {"type": "SCATTER", **axes, "runsCountToCompare": 100}


def _scores(split: str, metrics: Sequence[str]) -> list[str]:
    return [f"score/{split}.{metric}" for metric in metrics]


def _curve(metric: str) -> str:
    """Return the metric of the curve by epoch; accuracies have their own."""
    return "validation/accuracy" if metric == "accuracy" else "validation/score"


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"

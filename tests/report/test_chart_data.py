"""The data of each chart of the page are the numbers of the JSON files, read here by themselves."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any

import pytest
from html_page import parsed
from report_tree import write_everything
from sklearn.metrics import cohen_kappa_score

from fake_comparisons import compared
from fake_results import ENVIRONMENT, SHARES
from finetune_alf.comparison import SeedsScore
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument, TransferSample
from finetune_alf.experiments.transfer.page import transfer_part
from finetune_alf.json_files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.write import write_report

Row = dict[str, Any]

SCHEMES = {"baseline": 0.701, "alf-1": 0.764}
TRUTH = [0, 0, 0, 1, 1, 2]
PREDICTIONS = {
    "baseline": {"5": [0, 0, 1, 1, 2, 2], "6": [0, 1, 1, 1, 1, 2]},
    "alf-1": {"5": [0, 0, 0, 1, 2, 2], "6": [0, 0, 0, 1, 1, 0]},
}


def scheme_result(scheme: str, shift: float) -> SchemeResult:
    mean = SCHEMES[scheme] + shift
    score = SeedsScore(mean=mean, low=mean - 0.031, high=mean + 0.042, sd_seeds=0.01)
    difference = None if scheme == "baseline" else compared(0.063 + shift, 0.012, half=0.027)
    return SchemeResult(n_seeds=2, score=score, accuracy=score, balanced_accuracy=None, difference=difference)


def write_transfer(paths: Paths, sample: str, shift: float) -> None:
    document = TransferDocument(
        environments=SHARES,
        study="minilm",
        searched_on="films",
        encoder=EncoderIdentity(name="tiny", identity="sentence-encoder@1.0:53aa", n_layers=3),
        metric="accuracy",
        sample=TransferSample(name=sample, digest="0" * 64, n_test=len(TRUTH), majority_baseline=0.5),
        schemes={scheme: scheme_result(scheme, shift) for scheme in SCHEMES},
    )
    path = paths.document("transfer", "minilm", sample)
    document.write(path)
    line = TransferLine(
        environment=ENVIRONMENT,
        scheme="baseline",
        seed=5,
        score=0.7,
        accuracy=0.7,
        balanced_accuracy=None,
        loss=0.5,
        seconds=2.0,
        stopped="epochs",
        n_trainable_parameters=10,
        frozen_dropout="on",
        epochs=(),
        rates={"head": 1e-3},
    )
    write_jsonl(path.with_suffix(".jsonl"), [line.as_json()])
    write_json(path.with_suffix(".predictions.json"), {"truth": TRUTH, "predictions": PREDICTIONS})


def write_epochs(paths: Paths) -> None:
    """Give each epoch numbers of three places, and a score that is not its accuracy."""
    trials = read_jsonl(paths.study_results("minilm") / "trials.jsonl")
    for trial in trials:
        for epoch in trial["result"]["epochs"] if trial["result"] else ():
            place = trial["number"] / 100 + epoch["epoch"] / 10
            epoch |= {"validation_score": round(0.5 + place, 3), "validation_loss": round(0.9 - place, 3)}
    write_jsonl(paths.study_results("minilm") / "trials.jsonl", trials)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = write_everything(tmp_path_factory.mktemp("project"))
    write_epochs(paths)
    write_transfer(paths, "films", 0.0)
    write_transfer(paths, "gadgets", -0.114)
    return paths


@pytest.fixture(scope="module")
def charts(paths: Paths) -> dict[str, Any]:
    page = write_report(paths, parts=[transfer_part]).with_suffix(".html").read_text("utf-8")
    return parsed(page).specs()


def rows_of(charts: dict[str, Any], name: str, *fields: str) -> list[Row]:
    """Return the rows of a chart that have these fields."""
    tables = charts[f"figure-minilm-{name}"]["datasets"].values()
    return [row for rows in tables for row in rows if row.keys() >= set(fields)]


def trials_of(paths: Paths) -> list[Row]:
    return read_jsonl(paths.study_results("minilm") / "trials.jsonl")


def transfers_of(paths: Paths) -> dict[str, Row]:
    return {name: read_json(paths.document("transfer", "minilm", name)) for name in ("films", "gadgets")}


def close(value: Any) -> Any:
    """Return a number that one differing by the rounding of its computation equals."""
    return pytest.approx(value, abs=1e-9)


def test_no_chart_of_the_page_is_left_out_below(charts) -> None:
    names = [
        "strip",
        "forest",
        "search",
        "trials",
        "importance",
        "confusion",
        "agreement",
        "score-curves",
        "loss-curves",
        "transfer",
    ]
    assert set(charts) == {f"figure-minilm-{name}" for name in names}


@pytest.mark.parametrize("name", ["search", "trials"])
def test_each_trial_has_its_score_and_its_rates(charts, paths, name: str) -> None:
    shown = rows_of(charts, name, "trial", "rates")
    assert {row["trial"]: (row.get("score"), [float(rate) for rate in row["rates"].split()]) for row in shown} == {
        trial["number"]: (trial["score"], list(trial["rates"].values())) for trial in trials_of(paths)
    }


def test_the_search_leads_to_the_confirmed_and_the_test_scores(charts, paths) -> None:
    lock, transfer = read_json(paths.schedules("minilm")), transfers_of(paths)["films"]["schemes"]
    candidates = {alias: next(c for c in lock["candidates"] if c["trial"] == n) for alias, n in lock["chosen"].items()}
    confirmed = {"baseline": lock["references"]["baseline"], **candidates}
    shown = {(row["scheme"], row["stage"]): row for row in rows_of(charts, "search", "shown")}
    for stage, scores in (("confirmed", confirmed), ("test", {name: each["score"] for name, each in transfer.items()})):
        for scheme, score in scores.items():
            row = shown.pop((scheme, stage))
            assert [row[end] for end in ("mean", "low", "high")] == close([score[e] for e in ("mean", "low", "high")])
    first = next(trial for trial in trials_of(paths) if set(list(trial["rates"].values())[:-1]) == {5e-5})
    searched = {"baseline": first["score"], **{alias: each["search_score"] for alias, each in candidates.items()}}
    assert {scheme: row["mean"] for (scheme, _), row in shown.items()} == searched


def test_the_strips_have_the_rates_of_baseline_and_schedules(charts, paths) -> None:
    recipes = {"baseline": read_json(paths.study_results("minilm") / "study.json")["recipe"]["rates"]}
    locked = read_json(paths.schedules("minilm"))["schedules"]
    recipes |= {alias: one["schedule"]["recipe"]["rates"] for alias, one in locked.items()}

    def at(rates: Row, address: str) -> float:
        if rates["kind"] == "uniform":
            return rates["head" if address == "head" else "rate"]
        return rates["layers"][int(address[6:])] if address.startswith("layer.") else rates[address]

    cells = rows_of(charts, "strip", "schedule", "address")
    assert len(cells) == 5 * len(recipes)
    assert all(cell["rate"] == at(recipes[cell["schedule"]], cell["address"]) for cell in cells)


def test_the_forest_has_the_differences_with_their_intervals(charts, paths) -> None:
    shown = {(row["sample"], row["scheme"]): row for row in rows_of(charts, "forest", "difference")}
    assert set(shown) == {("films", "alf-1"), ("gadgets", "alf-1")}
    for (sample, scheme), row in shown.items():
        found = transfers_of(paths)[sample]["schemes"][scheme]["difference"]
        assert [row[end] for end in ("mean", "low", "high")] == close([found[end] for end in ("mean", "low", "high")])
        assert row["p"] == f"{found['p']:.3f}"  # one declared comparison: corrected it is the same
        assert row["seeds"] == found["variance"]["n_seeds"]
        assert row["texts"] == len(TRUTH)


def test_the_scores_of_schemes_are_those_of_the_transfers(charts, paths) -> None:
    shown = {
        (row["panel"], row["label"]): [row[end] for end in ("mean", "low", "high")]
        for row in rows_of(charts, "transfer", "series")
        if row["kind"] == "interval"
    }
    assert shown == {
        (sample, scheme): close([each["score"][end] for end in ("mean", "low", "high")])
        for sample, document in transfers_of(paths).items()
        for scheme, each in document["schemes"].items()
    }


def test_the_importance_has_shares_ranges_chance_and_directions(charts, paths) -> None:
    document = read_json(paths.importance("minilm"))
    keys = {"mean": "mean", "low": "low", "high": "high", "chance": "shuffled_high"}
    assert {
        (row["evaluator"], row["address"]): [row[key] for key in keys] for row in rows_of(charts, "importance", "mean")
    } == {
        (evaluator, address): close([share[key] for key in keys.values()])
        for evaluator, shares in document["evaluators"].items()
        for address, share in shares.items()
    }
    assert {row["address"]: row["rho"] for row in rows_of(charts, "importance", "rho")} == {
        address: direction["rho"] for address, direction in document["direction"].items()
    }


def test_the_confusion_matrix_counts_the_predictions_of_all_seeds(charts) -> None:
    shown = {
        (row["scheme"], row["true"], row["predicted"]): (row["texts"], row["share"])
        for row in rows_of(charts, "confusion", "true")
        if row["texts"]
    }
    counted = Counter(
        (scheme, f"class {true}", f"class {predicted}")
        for scheme, fits in PREDICTIONS.items()
        for fit in fits.values()
        for true, predicted in zip(TRUTH, fit, strict=True)
    )
    of_class = {f"class {one}": 2 * TRUTH.count(one) for one in TRUTH}
    assert shown == {key: (n, round(n / of_class[key[1]], 3)) for key, n in counted.items()}


def test_the_agreement_of_schemes_is_the_mean_kappa_of_their_fits(charts) -> None:
    def kappas(one: str, other: str) -> Iterator[float]:
        for seed, fit in PREDICTIONS[one].items():
            for other_seed, other_fit in PREDICTIONS[other].items():
                if one != other or seed < other_seed:
                    yield cohen_kappa_score(fit, other_fit)

    shown = {(row["scheme"], row["other"]): row["kappa"] for row in rows_of(charts, "agreement", "kappa")}
    for one, other in combinations_with_replacement(PREDICTIONS, 2):
        found = list(kappas(one, other))
        assert shown[one, other] == shown[other, one] == pytest.approx(sum(found) / len(found), abs=5e-4)


@pytest.mark.parametrize(("name", "key"), [("score-curves", "validation_score"), ("loss-curves", "validation_loss")])
def test_the_curves_have_the_values_of_each_epoch(charts, paths, name: str, key: str) -> None:
    assert {row["trial"]: row["values"] for row in rows_of(charts, name, "values")} == {
        trial["number"]: [epoch[key] for epoch in trial["result"]["epochs"]]
        for trial in trials_of(paths)
        if trial["result"]
    }

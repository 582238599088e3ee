"""Results of entries that params.yaml no longer names: out of the folders that stages of DVC depend on, and kept."""

from pathlib import Path

from finetune_alf.experiments.registry import load_params, registry
from finetune_alf.experiments.set_aside import set_aside
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context

NAMED = (
    "data/samples/films/card.json",
    "data/encoders/further/adapt.json",
    "data/encoders/mine/config.json",
    "results/study/minilm/trials.jsonl",
    "results/importance/minilm.png",
    "results/schedules/minilm.json",
    "results/transfer/minilm/films.json",
    "results/transfer/minilm/films.predictions.json",
    "results/fit/minilm.probe.json",
    "results/transfer/.gitignore",
    "results/params.yaml",
)
LEFT = (
    "data/samples/old/card.json",
    "data/encoders/old/adapt.json",
    "results/study/old/trials.jsonl",
    "results/importance/old.json",
    "results/schedules/old.json",
    "results/transfer/minilm/travel.json",
    "results/transfer/minilm/travel.jsonl",
    "results/transfer/minilm/travel.predictions.json",
    "results/transfer/old/films.json",
    "results/fit/old.json",
    "results/freeze/old.jsonl",
)

FEWER = """
transfer: {samples: [films]}
adapt: {further: {encoder: minilm, sample: films, n_steps: 1}}
"""


def test_what_params_does_not_name_is_moved_and_nothing_else(tmp_path: Path) -> None:
    for name in (*NAMED, *LEFT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "fewer.yaml").write_text(FEWER)
    params = load_params(tmp_path / "params.yaml", ["default", str(tmp_path / "fewer.yaml")])
    context = Context(params, Paths(tmp_path))
    set_aside(context, registry())
    assert all((tmp_path / name).read_text() == name for name in NAMED)
    assert not any((tmp_path / name).exists() for name in LEFT)
    assert all((tmp_path / "studies/set-aside" / name).read_text() == name for name in LEFT)
    assert set_aside(context, registry()) == []

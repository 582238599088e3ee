"""The benchmark of the contrastive objective, on made-up texts and a tiny encoder: it prints a line for every way."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import contrastive

from finetune_alf.encoder.spec import RandomEncoder

TINY = {"model_type": "bert", "vocab_size": 64, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
TINY |= {"intermediate_size": 8, "max_position_embeddings": 64}


def test_every_way_has_a_line_with_a_score_a_draw(tmp_path, monkeypatch, capsys):
    (tmp_path / "sst2").mkdir()
    for split, n in (("train", 160), ("validation", 20), ("test", 10)):
        rows = [f"{'good' if row % 2 else 'bad'} film {split} {row},{row % 2}" for row in range(n)]
        (tmp_path / "sst2" / f"{split}.csv").write_text("\n".join(["text,label", *rows]))
    monkeypatch.setenv("ALF_DATA", str(tmp_path))
    tiny = RandomEncoder(kind="random", config=TINY, seed=1)
    contrastive.main(["--draws", "2", "--texts", "16", "--test-texts", "10", "--pairs", "2"], tiny)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in contrastive.recipes(2)]
    assert all(len(line.split(" | ")[3].split()) == 2 for line in lines[2:])


def test_without_its_texts_it_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("ALF_DATA", raising=False)
    with pytest.raises(SystemExit, match="ALF_DATA must name a folder"):
        contrastive.main([])

"""One adaptation: the loss falls, the same inputs give the same bytes, and what is left is an encoder."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_checkpoint import FAMILIES, as_spec, films, save_family

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.masked_lm import load_masked_lm
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.errors import DataError, EncoderError, ParamsError
from finetune_alf.experiments.adapt.further import Further, asked_digest
from finetune_alf.experiments.adapt.record import finished
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import AdaptTexts
from finetune_alf.rates import HEAD

CPU = torch.device("cpu")
TEXTS = AdaptTexts(tuple(films()[:48]), tuple(films()[48:72]), "films", "0" * 64, "films")


def asked(**changes):
    wanted = {"encoder": "tiny", "sample": "films", "epochs": 4, "batch": 8, "max_tokens": 24, "rate": 1e-2}
    wanted |= {"precision": "fp32", "warm_up_head": {"n_steps": 20, "rate": 1e-2}}
    return AdaptSpec.model_validate_json(json.dumps(wanted | changes))


def adapt(checkpoint, folder, **changes):
    torch.set_num_threads(1)
    further = Further("tiny", asked(**changes), as_spec(checkpoint), TEXTS, CPU)
    points = []
    record = further.run(folder, points.append)
    assert len(points) == further.n_points
    return record


@pytest.fixture(scope="module")
def done(with_head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    return folder, adapt(with_head, folder)


def test_the_loss_falls_in_training_and_on_texts_not_learned_from(done):
    _, record = done
    assert (record.warm_up, record.note) == (None, None)
    assert record.n_steps == 4 * math.ceil(record.texts.n_pieces / 8)
    assert record.curve[-1].step == record.n_steps
    assert record.curve[-1].loss < record.curve[0].loss - 0.3
    assert record.losses.after < record.losses.before - 0.2


def test_the_same_inputs_give_the_same_bytes(done, with_head, tmp_path):
    folder, record = done
    again = adapt(with_head, tmp_path / "again")
    assert again.sha256 == record.sha256
    assert as_spec(tmp_path / "again").identity() == as_spec(folder).identity()
    one, other = (adapt(with_head, tmp_path / f"{seed}", epochs=None, n_steps=2, seed=seed) for seed in (1, 2))
    assert one.sha256 != other.sha256


def test_torchs_global_state_is_left_as_it_was(with_head, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    adapt(with_head, tmp_path / "tiny", epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_left_loads_as_an_encoder_with_a_new_body_and_the_old_pooler(done, without_head, tmp_path):
    folder, _ = done
    encoder = load_encoder(as_spec(folder), 2)
    assert set(encoder.initial_weights.newly_initialized) <= set(encoder.anatomy.parameters[HEAD])
    adapt(without_head, tmp_path / "tiny", epochs=1)
    was, now = load_file(without_head / "model.safetensors"), load_file(tmp_path / "tiny" / "model.safetensors")
    assert set(now) == set(was)
    changed = {name for name in was if not torch.equal(was[name], now[name])}
    assert changed == {name for name in was if "pooler" not in name}
    assert not any(
        "pooler" in name for name in load_encoder(as_spec(tmp_path / "tiny"), 2).initial_weights.newly_initialized
    )


def test_texts_are_tokenised_as_before(done, with_head):
    folder, _ = done
    assert load_encoder(as_spec(folder), 2).tokenize(films(), 40) == load_encoder(as_spec(with_head), 2).tokenize(
        films(), 40
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_are_trained_further_too(tmp_path, family):
    source = save_family(tmp_path / "source", family)
    record = adapt(source, tmp_path / "tiny", epochs=1)
    assert record.warm_up is None
    assert record.losses.after < record.losses.before
    encoder = load_encoder(as_spec(tmp_path / "tiny"), 2)
    assert encoder.anatomy.n_layers == (1 if family == "Albert" else 2)


def test_a_fresh_head_is_warmed_up_alone_and_said(without_head, tmp_path):
    masked_lm = load_masked_lm(as_spec(without_head), 0)
    assert set(masked_lm.newly_initialized) == set(masked_lm.anatomy.parameters[HEAD])
    record = adapt(without_head, tmp_path / "tiny", rate=1e-9, n_steps=1, epochs=None)
    assert record.warm_up is not None
    assert record.note is not None
    assert "No gain is to be expected" in record.note
    assert record.warm_up.losses.after < record.warm_up.losses.before
    assert record.losses.before == record.warm_up.losses.after
    was, now = load_file(without_head / "model.safetensors"), load_file(tmp_path / "tiny" / "model.safetensors")
    assert all(torch.allclose(was[name], now[name], atol=1e-6) for name in was)  # the body was frozen meanwhile


def test_a_fresh_heads_first_weights_are_those_of_the_seed(without_head):
    one, again, other = (load_masked_lm(as_spec(without_head), seed) for seed in (1, 1, 2))
    name = "cls.predictions.transform.dense.weight"
    assert torch.equal(one.model.get_parameter(name), again.model.get_parameter(name))
    assert not torch.equal(one.model.get_parameter(name), other.model.get_parameter(name))
    assert one.model.get_output_embeddings().weight is one.model.get_input_embeddings().weight


def test_the_head_says_of_some_places_what_it_says_of_all(with_head):
    masked_lm = load_masked_lm(as_spec(with_head), 0)
    ids = torch.randint(5, 100, (3, 7), generator=torch.Generator().manual_seed(0))
    is_token = torch.ones_like(ids, dtype=torch.bool)
    places = torch.tensor([0, 5, 20])
    with torch.no_grad():
        whole = masked_lm.model(input_ids=ids, attention_mask=is_token.long()).logits.flatten(0, 1)
        assert torch.allclose(masked_lm.logits_at(ids, is_token, places), whole[places], atol=1e-6)
        assert masked_lm.model(input_ids=ids).logits.shape == (3, 7, whole.shape[1])  # the hook is gone


def test_divergence_is_an_error_and_leaves_what_was_there(with_head, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "kept").touch()
    source = shutil.copytree(with_head, tmp_path / "source")
    further = Further("tiny", asked(), as_spec(source), TEXTS, CPU)
    with torch.no_grad():
        further._masked_lm.model.get_input_embeddings().weight.mul_(1e30)
        next(iter(further._masked_lm.model.bert.encoder.layer.parameters())).mul_(1e30)
    with pytest.raises(ParamsError, match=r"adapt\.tiny\.rate: training diverged .* Lower the rate"):
        further.run(folder, lambda point: None)
    assert [file.name for file in folder.iterdir()] == ["kept"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_held_out_texts_with_nothing_hidden_are_refused_before_training(with_head, tmp_path):
    texts = replace(TEXTS, held_out=("film",))
    further = Further("tiny", asked(mask_frac=1e-6), as_spec(with_head), texts, CPU)
    points = []
    with pytest.raises(DataError, match=r"held-out texts: must have a token to hide, but of their \d+ none was drawn"):
        further.run(tmp_path / "tiny", points.append)
    assert points == []
    assert not (tmp_path / "tiny").exists()


def test_a_stop_on_the_way_leaves_nothing(with_head, tmp_path):
    def stop(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Further("tiny", asked(), as_spec(with_head), TEXTS, CPU).run(tmp_path / "out" / "tiny", stop)
    assert list(tmp_path.rglob("*")) == []


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_further import adapt_telling
adapt_telling(Path({checkpoint!r}), Path({folder!r}))
"""


def adapt_telling(checkpoint, folder):
    torch.set_num_threads(1)
    Further("tiny", asked(), as_spec(checkpoint), TEXTS, CPU).run(folder, lambda point: print(point.step, flush=True))


def test_a_kill_on_the_way_leaves_nothing_and_the_next_start_makes_the_same(done, with_head, tmp_path):
    folder = tmp_path / "tiny"
    script = KILLED.format(tests=str(Path(__file__).parent), checkpoint=str(with_head), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(done[1].curve[0].step)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not folder.exists()
    assert adapt(with_head, folder).sha256 == done[1].sha256


def test_done_is_what_was_asked_for_with_the_weights_of_its_record(done, with_head, tmp_path):
    folder, record = done
    identity = as_spec(with_head).identity()
    assert record.asked == asked_digest(asked(n_seeds=9), identity, TEXTS)  # the comparison changes no weight
    assert record.asked != asked_digest(asked(rate=2e-2), identity, TEXTS)
    assert finished(folder, record.asked) == record
    assert finished(folder, "f" * 64) is None
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"torn")
    assert finished(copy, record.asked) is None


def test_an_encoder_without_a_mask_or_a_tokenizer_is_refused(with_head, tmp_path):
    with pytest.raises(EncoderError, match="must be a checkpoint with a tokenizer of its own"):
        load_masked_lm(RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0), 0)
    source = shutil.copytree(with_head, tmp_path / "source")
    config = source / "tokenizer_config.json"
    told = json.loads(config.read_text())
    del told["mask_token"]
    config.write_text(json.dumps(told))
    with pytest.raises(EncoderError, match="the tokenizer must have a mask token"):
        load_masked_lm(as_spec(source), 0)

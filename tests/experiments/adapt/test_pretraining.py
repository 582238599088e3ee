"""One adaptation: the loss falls, equal inputs give equal bytes, and the result is an encoder."""

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

from finetune_alf.compute import Compute
from finetune_alf.compute.environment import environment_of
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.masked_lm import load_masked_lm
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.errors import DataError, EncoderError, ParamsError
from finetune_alf.experiments.adapt.pretraining import FurtherPretraining, inputs_digest_of
from finetune_alf.experiments.adapt.record import NEW_HEAD_NOTE, read_finished
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import AdaptTexts
from finetune_alf.rates import HEAD

CPU = environment_of(Compute("cpu", "fp32", n_threads=1), None)
TEXTS = AdaptTexts(tuple(films()[:48]), tuple(films()[48:72]), "films", "0" * 64, "films")


def adapt_spec(**changes):
    settings = {"encoder": "tiny", "sample": "films", "epochs": 4, "batch": 8, "max_tokens": 24, "rate": 1e-2}
    settings |= {"warm_up_head": {"n_steps": 20, "rate": 1e-2}}
    return AdaptSpec.model_validate_json(json.dumps(settings | changes))


def adapt(checkpoint, folder, **changes):
    torch.set_num_threads(1)
    pretraining = FurtherPretraining("tiny", adapt_spec(**changes), as_spec(checkpoint), TEXTS, CPU)
    points = []
    record = pretraining.run(folder, points.append)
    assert len(points) == pretraining.n_points
    return record


@pytest.fixture(scope="module")
def done(with_head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    return folder, adapt(with_head, folder)


def test_the_loss_falls_in_training_and_on_held_out_texts(done):
    _, record = done
    assert (record.warm_up, record.note) == (None, None)
    assert record.n_steps == 4 * math.ceil(record.texts.n_pieces / 8)
    assert record.loss_curve[-1].step == record.n_steps
    assert record.loss_curve[-1].loss < record.loss_curve[0].loss - 0.3
    assert record.losses.after < record.losses.before - 0.2


def test_equal_inputs_give_equal_bytes(done, with_head, tmp_path):
    folder, record = done
    again = adapt(with_head, tmp_path / "again")
    assert again.sha256 == record.sha256
    assert as_spec(tmp_path / "again").identity() == as_spec(folder).identity()
    one, other = (adapt(with_head, tmp_path / f"{seed}", epochs=None, n_steps=2, seed=seed) for seed in (1, 2))
    assert one.sha256 != other.sha256


def test_the_global_random_state_of_torch_does_not_change(with_head, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    adapt(with_head, tmp_path / "tiny", epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_result_is_an_encoder_with_new_weights_and_the_old_pooler(done, without_head, tmp_path):
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


def test_the_tokenizer_does_not_change(done, with_head):
    folder, _ = done
    assert load_encoder(as_spec(folder), 2).tokenize(films(), 40) == load_encoder(as_spec(with_head), 2).tokenize(
        films(), 40
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_can_be_adapted(tmp_path, family):
    source = save_family(tmp_path / "source", family)
    record = adapt(source, tmp_path / "tiny", epochs=1)
    assert record.warm_up is None
    assert record.losses.after < record.losses.before
    encoder = load_encoder(as_spec(tmp_path / "tiny"), 2)
    assert encoder.anatomy.n_layers == (1 if family == "Albert" else 2)


def test_a_new_head_is_trained_first_with_the_encoder_frozen(without_head, tmp_path):
    masked_lm = load_masked_lm(as_spec(without_head), 0)
    assert set(masked_lm.newly_initialized) == set(masked_lm.anatomy.parameters[HEAD])
    record = adapt(without_head, tmp_path / "tiny", rate=1e-9, n_steps=1, epochs=None)
    assert record.note == NEW_HEAD_NOTE
    assert record.warm_up.losses.after < record.warm_up.losses.before
    assert record.losses.before == record.warm_up.losses.after
    was, now = load_file(without_head / "model.safetensors"), load_file(tmp_path / "tiny" / "model.safetensors")
    assert all(torch.allclose(was[name], now[name], atol=1e-6) for name in was)


def test_a_new_head_is_drawn_from_the_seed(without_head):
    one, again, other = (load_masked_lm(as_spec(without_head), seed) for seed in (1, 1, 2))
    name = "cls.predictions.transform.dense.weight"
    assert torch.equal(one.model.get_parameter(name), again.model.get_parameter(name))
    assert not torch.equal(one.model.get_parameter(name), other.model.get_parameter(name))
    assert one.model.get_output_embeddings().weight is one.model.get_input_embeddings().weight


def test_logits_at_positions_are_those_of_all_logits(with_head):
    masked_lm = load_masked_lm(as_spec(with_head), 0)
    ids = torch.randint(5, 100, (3, 7), generator=torch.Generator().manual_seed(0))
    is_token = torch.ones_like(ids, dtype=torch.bool)
    positions = torch.tensor([0, 5, 20])
    with torch.no_grad():
        whole = masked_lm.model(input_ids=ids, attention_mask=is_token.long()).logits.flatten(0, 1)
        assert torch.allclose(masked_lm.logits_at(ids, is_token, positions), whole[positions], atol=1e-6)
        assert masked_lm.model(input_ids=ids).logits.shape == (3, 7, whole.shape[1])  # the hook is gone


def test_divergence_is_an_error_and_the_folder_stays_as_it_was(with_head, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "kept").touch()
    source = shutil.copytree(with_head, tmp_path / "source")
    pretraining = FurtherPretraining("tiny", adapt_spec(), as_spec(source), TEXTS, CPU)
    with torch.no_grad():
        pretraining._masked_lm.model.get_input_embeddings().weight.mul_(1e30)
        next(iter(pretraining._masked_lm.model.bert.encoder.layer.parameters())).mul_(1e30)
    with pytest.raises(ParamsError, match=r"^adapt\.tiny\.rate: training diverged"):
        pretraining.run(folder, lambda point: None)
    assert [file.name for file in folder.iterdir()] == ["kept"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_held_out_texts_without_a_masked_token_are_refused_before_training(with_head, tmp_path):
    texts = replace(TEXTS, held_out=("film",))
    pretraining = FurtherPretraining("tiny", adapt_spec(mask_frac=1e-6), as_spec(with_head), texts, CPU)
    points = []
    with pytest.raises(DataError, match=r"held-out texts: must have a masked token"):
        pretraining.run(tmp_path / "tiny", points.append)
    assert points == []
    assert not (tmp_path / "tiny").exists()


def test_a_stop_during_training_leaves_nothing(with_head, tmp_path):
    def stop(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FurtherPretraining("tiny", adapt_spec(), as_spec(with_head), TEXTS, CPU).run(tmp_path / "out" / "tiny", stop)
    assert list(tmp_path.rglob("*")) == []


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_pretraining import adapt_and_print_steps
adapt_and_print_steps(Path({checkpoint!r}), Path({folder!r}))
"""


def adapt_and_print_steps(checkpoint, folder):
    pretraining = FurtherPretraining("tiny", adapt_spec(), as_spec(checkpoint), TEXTS, CPU)
    pretraining.run(folder, lambda point: print(point.step, flush=True))


@pytest.mark.long
def test_a_kill_during_training_leaves_nothing_and_the_next_start_gives_equal_weights(done, with_head, tmp_path):
    folder = tmp_path / "tiny"
    script = KILLED.format(tests=str(Path(__file__).parent), checkpoint=str(with_head), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(done[1].loss_curve[0].step)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not folder.exists()
    assert adapt(with_head, folder).sha256 == done[1].sha256


def test_an_adaptation_is_finished_if_its_inputs_and_weights_are_those_of_its_record(done, with_head, tmp_path):
    folder, record = done
    identity = as_spec(with_head).identity()
    assert record.inputs_digest == inputs_digest_of(adapt_spec(n_seeds=9), identity, TEXTS, "fp32")
    assert record.inputs_digest != inputs_digest_of(adapt_spec(rate=2e-2), identity, TEXTS, "fp32")
    assert read_finished(folder, record.inputs_digest) == record
    assert read_finished(folder, "f" * 64) is None
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"torn")
    assert read_finished(copy, record.inputs_digest) is None


def test_an_encoder_without_a_mask_token_or_a_tokenizer_is_refused(with_head, tmp_path):
    with pytest.raises(EncoderError, match="must be a checkpoint with a tokenizer of its own"):
        load_masked_lm(RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0), 0)
    source = shutil.copytree(with_head, tmp_path / "source")
    config = source / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    del settings["mask_token"]
    config.write_text(json.dumps(settings))
    with pytest.raises(EncoderError, match="the tokenizer must have a mask token"):
        load_masked_lm(as_spec(source), 0)

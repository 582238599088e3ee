"""Every family is fitted and read in bf16, and stays close to fp32."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM

from finetune_alf.compute.autocast import autocast
from finetune_alf.encoder.anatomy import anatomy_of
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.protocol import forward_of
from tiny import task_splits, tiny_recipe
from tiny_families import PACKED, PADDED_ONLY

FAMILIES = PACKED | PADDED_ONLY


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_fit_in_bf16_is_close_to_one_in_fp32(family, pooling):
    config = {"model_type": family.split()[0], **FAMILIES[family]}
    encoder = load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2)
    recipe = tiny_recipe(epochs=1, pooling=pooling)
    exact, rough = (fit(encoder, task_splits(encoder), recipe, 1, precision=one) for one in ("fp32", "bf16"))
    assert math.isclose(exact.epochs[0].train_loss, rough.epochs[0].train_loss, rel_tol=0.02)
    table = task_splits(encoder).train.table
    with torch.inference_mode(), autocast(torch.device("cpu"), "bf16"):
        hidden_state = forward_of(encoder.model, 0).last_hidden_state(table)
    assert bool(hidden_state.isfinite().all())


@pytest.mark.parametrize("family", PADDED_ONLY)
def test_a_masked_language_model_is_computed_in_bf16(family):
    config = AutoConfig.for_model(family, **PADDED_ONLY[family])
    model = AutoModelForMaskedLM.from_config(config).eval()
    masked_lm = MaskedLanguageModel(model, None, anatomy_of(model), (), Path(), family)
    ids, is_token = torch.arange(5, 17).view(2, 6), torch.ones(2, 6, dtype=torch.bool)
    is_token[1, 4:] = False
    with torch.inference_mode(), autocast(torch.device("cpu"), "bf16"):
        logits = masked_lm.logits_at(ids, is_token, torch.tensor([1, 7]))
    assert logits.shape == (2, PADDED_ONLY[family]["vocab_size"])
    assert bool(logits.isfinite().all())

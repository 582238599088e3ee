"""Under transformers' Trainer every address has, step by step, the rates that our own fits have."""

from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, training_args

from finetune_alf.errors import ScheduleError
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import (
    ConstantCurve,
    Contrastive,
    CosineCurve,
    EarlyStopping,
    ExponentialCurve,
    GradualUnfreezing,
    LinearCurve,
    SlantedTriangularCurve,
)
from finetune_alf.train.forward.padded import padded
from finetune_alf.train.optimizer import LayerwiseOptimizer
from finetune_alf.train.stacked_optimizer import StackedOptimizer
from tiny import N_LAYERS, load_tiny, tiny_schedule, tokenized_split

pytestmark = pytest.mark.filterwarnings("ignore")  # Trainer's own

RATES = LayerRates.of(1e-5, [0, 2e-5, 3e-5], 4e-5)
N_STEPS = 8


class Watch(TrainerCallback):
    """Notes the rates of each step, what learned in it, and what is logged to a reporter."""

    def __init__(self) -> None:
        self.rates: list[dict[str, float]] = []
        self.trained: list[set[str]] = []
        self.logs: list[dict[str, Any]] = []

    def on_optimizer_step(self, args, state, control, **objects):  # type: ignore[no-untyped-def]
        groups = objects["optimizer"].param_groups
        self.rates.append({group["address"]: group["lr"] for group in groups})
        self.trained.append({group["address"] for group in groups if group["params"][0].grad is not None})

    def on_log(self, args, state, control, logs=None, **objects):  # type: ignore[no-untyped-def]
        self.logs.append(dict(logs))


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_tiny()


def train(
    encoder: Any, schedule: Any, folder: Any, resumed: str | None = None, **settings: Any
) -> tuple[Watch, Trainer]:
    encoder.reset(0)
    split = tokenized_split(encoder)
    rows = [{name: tensor[0] for name, tensor in padded(split.table, [i]).items()} for i in range(len(split))]
    longest = max(row["input_ids"].shape[0] for row in rows)
    data = [
        {name: torch.nn.functional.pad(tensor, (0, longest - tensor.shape[0])) for name, tensor in row.items()}
        | {"labels": split.labels[i]}
        for i, row in enumerate(rows)
    ]
    own = {"output_dir": str(folder), "use_cpu": True, "report_to": [], "save_strategy": "no", "disable_tqdm": True}
    kwargs = schedule.trainer_kwargs(encoder.model, **{**own, "logging_steps": 1, **settings})
    watch = Watch()
    kwargs["callbacks"].append(watch)
    trainer = Trainer(model=encoder.model, train_dataset=data, **kwargs)
    trainer.train(resume_from_checkpoint=resumed)
    return watch, trainer


CURVES = [
    ConstantCurve(),
    LinearCurve(warmup_frac=0.5),
    CosineCurve(warmup_frac=0.25),
    SlantedTriangularCurve(cut_frac=0.25),
    ExponentialCurve(decay=0.5),
]


def engine_rates(encoder: Any, schedule: Any) -> list[dict[str, float]]:
    """The rates of each step of our own fits."""
    engine = LayerwiseOptimizer(encoder.model, encoder.anatomy, schedule.recipe, RATES, N_STEPS)
    seen = []
    for step in range(N_STEPS):
        engine.step(step)
        seen.append({group["address"]: group["lr"] for group in engine.optimizer.param_groups})
    return seen


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.kind)
def test_the_callback_sets_the_rates_of_our_engine_at_every_step(encoder: Any, tmp_path: Any, curve: Any) -> None:
    schedule = tiny_schedule(RATES, curve=curve, epochs=2)
    args = schedule.training_arguments(output_dir=str(tmp_path), use_cpu=True)
    optimizer, callback = schedule.optimizer(encoder), schedule.callback()
    theirs = []
    for step in range(N_STEPS):
        state = TrainerState(global_step=step, epoch=2 * step / N_STEPS, max_steps=N_STEPS, num_train_epochs=2)
        callback.on_pre_optimizer_step(args, state, TrainerControl(), optimizer=optimizer)
        theirs.append({group["address"]: group["lr"] for group in optimizer.param_groups})
    assert theirs == engine_rates(encoder, schedule)


def test_trainer_takes_the_planted_rates_and_its_logs_and_reporters_have_them(encoder: Any, tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES, curve=LinearCurve(warmup_frac=0.5), epochs=2)
    watch, trainer = train(encoder, schedule, tmp_path)
    factors = (0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25)
    assert [rates["layer.1"] for rates in watch.rates] == [2e-5 * factor for factor in factors]
    assert watch.rates == engine_rates(encoder, schedule)
    for logs in (watch.logs, trainer.state.log_history):
        assert [log["lr/head"] for log in logs if "loss" in log] == [rates["head"] for rates in watch.rates]


def test_unfreezing_opens_one_more_address_each_epoch(encoder: Any, tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES, epochs=3, unfreezing=GradualUnfreezing(start="head"))
    watch, _ = train(encoder, schedule, tmp_path)
    assert watch.trained[:4] == [{"head"}] * 4
    assert watch.trained[4:8] == [{"head", "layer.2"}] * 4
    assert watch.trained[8:] == [{"head", "layer.1", "layer.2"}] * 4


@pytest.mark.parametrize("settings", [{"num_train_epochs": 2.5}, {"max_steps": 10}])
def test_a_curve_by_epochs_follows_them_where_the_last_one_is_cut_short(
    encoder: Any, tmp_path: Any, settings: Any
) -> None:
    watch, _ = train(encoder, tiny_schedule(RATES, epochs=4, curve=ExponentialCurve(decay=0.5)), tmp_path, **settings)
    assert [rates["head"] for rates in watch.rates] == [4e-5] * 4 + [2e-5] * 4 + [1e-5] * 2


def test_epochs_of_the_recipes_own_length_open_addresses_and_bend_curves(encoder: Any, tmp_path: Any) -> None:
    gradual = {"unfreezing": GradualUnfreezing(start="head"), "curve": ExponentialCurve(decay=0.5)}
    schedule = tiny_schedule(RATES, epochs=3, steps_per_epoch=3, **gradual)  # an epoch of Trainer's has 4 steps
    watch, _ = train(encoder, schedule, tmp_path, save_strategy="steps", save_steps=4)
    assert watch.trained == [{"head"}] * 3 + [{"head", "layer.2"}] * 3 + [{"head", "layer.1", "layer.2"}] * 3
    assert [rates["head"] for rates in watch.rates] == [4e-5] * 3 + [2e-5] * 3 + [1e-5] * 3
    rest, _ = train(encoder, schedule, tmp_path, str(tmp_path / "checkpoint-4"))
    assert rest.trained == watch.trained[4:]
    assert rest.rates == watch.rates[4:]


def test_epochs_of_the_recipes_own_length_are_logged_evaluated_and_stop_a_fit(
    encoder: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = EarlyStopping(patience=2, min_delta=10.0)
    schedule = tiny_schedule(RATES, epochs=6, steps_per_epoch=3, early_stopping=stopping, keep="best")
    args = schedule.training_arguments(output_dir=str(tmp_path), use_cpu=True)
    for name in ("logging", "eval", "save"):
        assert (getattr(args, f"{name}_strategy"), getattr(args, f"{name}_steps")) == ("steps", 3)
    short = {"eval_strategy": "no", "load_best_model_at_end": False}
    _, trainer = train(encoder, schedule, tmp_path, **short, logging_steps=3)
    assert trainer.state.global_step == 3 * 3  # the first epoch counts as a fall, two more do not
    _, trainer = train(encoder, schedule, tmp_path, **short, logging_steps=1, num_train_epochs=1)
    assert trainer.state.global_step == 4
    assert "Set logging_strategy='steps', logging_steps=3 to have it." in caplog.text


@pytest.mark.parametrize("step", [1, 3, 4, 6, 7])
def test_unfreezing_goes_on_where_a_run_is_resumed_also_within_an_epoch(encoder: Any, tmp_path: Any, step: int) -> None:
    schedule = tiny_schedule(RATES, epochs=3, unfreezing=GradualUnfreezing(start="head"))
    whole, _ = train(encoder, schedule, tmp_path, save_strategy="steps", save_steps=step)
    rest, _ = train(encoder, schedule, tmp_path, str(tmp_path / f"checkpoint-{step}"))
    assert rest.trained == whole.trained[step:]
    assert rest.rates == whole.rates[step:]


def test_early_stopping_knows_the_losses_of_before_a_run_is_resumed(encoder: Any, tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES, epochs=6, early_stopping=EarlyStopping(patience=2, min_delta=100))
    saved = {"save_strategy": "epoch", "logging_strategy": "epoch"}
    _, whole = train(encoder, schedule, tmp_path, **saved)
    _, rest = train(encoder, schedule, tmp_path, str(tmp_path / "checkpoint-8"), **saved)
    assert whole.state.epoch == rest.state.epoch == 3


def test_what_an_unfinished_unfreezing_left_frozen_rates_open_again(
    encoder: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = tiny_schedule(RATES, epochs=3, unfreezing=GradualUnfreezing(start="head"))
    train(encoder, schedule, tmp_path, max_steps=1)
    assert not encoder.model.bert.encoder.layer[2].output.dense.weight.requires_grad
    states = ["learns", "frozen", "learns", "learns", "learns"]
    assert [row.state for row in schedule.apply(encoder.model)] == states
    engine = LayerwiseOptimizer(encoder.model, encoder.anatomy, schedule.recipe, RATES, N_STEPS)
    assert engine.start_epoch(0) == {"head"}
    assert [row.state for row in schedule.apply(encoder.model)] == states
    StackedOptimizer(encoder.model, encoder.anatomy, schedule.recipe, [RATES], N_STEPS)
    assert [row.state for row in schedule.apply(encoder.model)] == states
    assert "frozen before" not in caplog.text


def test_what_the_user_froze_after_the_groups_were_made_stays_frozen(encoder: Any, tmp_path: Any) -> None:
    encoder.reset(0)
    schedule, weight = tiny_schedule(RATES), encoder.model.classifier.weight
    optimizer = schedule.optimizer(encoder)
    weight.requires_grad_(False)
    for epoch in range(2):
        state = TrainerState(epoch=epoch)
        schedule.callback().on_epoch_begin(None, state, TrainerControl(), model=encoder.model, optimizer=optimizer)
        assert not weight.requires_grad
        assert encoder.model.classifier.bias.requires_grad


def test_a_fit_whose_losses_do_not_fall_ends_as_the_recipe_says(encoder: Any, tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES, epochs=6, early_stopping=EarlyStopping(patience=2, min_delta=10.0))
    _, trainer = train(encoder, schedule, tmp_path)
    assert trainer.state.global_step == 3 * 4  # the first epoch counts as a fall, two more do not


def test_the_arguments_are_those_of_the_recipe_and_settings_win(tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES, epochs=5, batch=4, clip=None, curve=CosineCurve(warmup_frac=0.1), keep="best")
    args = schedule.training_arguments(output_dir=str(tmp_path), use_cpu=True)
    assert (args.num_train_epochs, args.per_device_train_batch_size, args.max_grad_norm) == (5, 4, 0.0)
    assert (args.lr_scheduler_type, args.warmup_steps, args.bf16) == ("cosine", 0.1, False)
    assert (args.load_best_model_at_end, args.metric_for_best_model) == (True, "loss")
    assert schedule.training_arguments(output_dir=str(tmp_path), use_cpu=True, num_train_epochs=1).num_train_epochs == 1
    short = tiny_schedule(RATES, epochs=3, steps_per_epoch=7).training_arguments(output_dir=str(tmp_path), use_cpu=True)
    assert short.max_steps == 21


def test_several_processes_find_what_gradual_unfreezing_has_not_opened_yet(tmp_path: Any) -> None:
    gradual = tiny_schedule(RATES, unfreezing=GradualUnfreezing(every_epochs=1), epochs=5)
    args = {"output_dir": str(tmp_path), "use_cpu": True}
    assert gradual.training_arguments(**args).ddp_find_unused_parameters is True
    assert gradual.training_arguments(**args, ddp_find_unused_parameters=False).ddp_find_unused_parameters is False
    assert tiny_schedule(RATES).training_arguments(**args).ddp_find_unused_parameters is None


@pytest.mark.parametrize(
    ("has_gpu", "has_instructions", "settings", "expected"),
    [
        (False, True, {}, False),  # Trainer refuses bf16 on a processor that is not asked for
        (False, False, {}, False),
        (False, True, {"use_cpu": True}, True),
        (False, False, {"use_cpu": True}, False),
        (True, False, {"use_cpu": True}, False),
        (False, False, {"use_cpu": True, "bf16": True}, True),
    ],
)
def test_a_schedule_found_in_bf16_is_trained_in_fp32_where_the_device_has_no_bf16(
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    has_gpu: bool,
    has_instructions: bool,
    settings: Any,
    expected: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_gpu)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions)
    monkeypatch.setattr(training_args, "is_torch_bf16_gpu_available", lambda: has_gpu)
    found = tiny_schedule(RATES)
    schedule = found.model_copy(update={"provenance": found.provenance.model_copy(update={"precision": "bf16"})})
    args = schedule.training_arguments(output_dir=str(tmp_path), report_to=[], **settings)
    assert args.bf16 is expected
    warned = "was found in bf16, which Trainer cannot use on this machine: it computes in fp32"
    assert (warned in caplog.text) is not expected


def test_what_trainer_cannot_train_is_refused_by_name() -> None:
    schedule = tiny_schedule(RATES, objective=Contrastive(), pooling="mean")
    with pytest.raises(
        ScheduleError, match=r"its recipe has objective, which Trainer cannot train.*optimizer\(model\)"
    ):
        schedule.training_arguments()


def test_the_callback_alone_asks_for_the_optimizer(encoder: Any, tmp_path: Any) -> None:
    schedule = tiny_schedule(RATES)
    args = schedule.training_arguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    trainer = Trainer(model=encoder.model, args=args, train_dataset=[1, 2], callbacks=[schedule.callback()])
    with pytest.raises(ScheduleError, match=r"optimizers=\(schedule\.optimizer\(model\), None\)"):
        trainer.train()
    assert schedule.rates.n_layers == N_LAYERS


def test_without_accelerate_the_error_names_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.training_args.is_accelerate_available", lambda *_: False)
    with pytest.raises(
        ScheduleError, match=r"^transformers' Trainer needs accelerate: run `pip install accelerate`\.$"
    ):
        tiny_schedule(RATES).training_arguments(output_dir=tmp_path)

"""The CPU time of each part of a training step, operator by operator."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import finetune_alf.train.fit as fit_module
from finetune_alf.train.forward.attention import _Attention
from finetune_alf.train.forward.dropout import DropoutMasks

OTHER, MASKS = "all else: other operators, Python, autograd", "dropout masks"

_PARTS = {
    "aten::addmm": "matrix products, forward",  # every linear layer of a BERT has a bias
    "aten::mm": "matrix products, backward",
    "aten::gelu": "GELU, both ways",
    "aten::gelu_backward": "GELU, both ways",
    "aten::native_layer_norm": "layer norm, both ways",
    "aten::native_layer_norm_backward": "layer norm, both ways",
    "aten::_foreach_norm": "gradient norm",
    "aten::linalg_vector_norm": "gradient norm",
    "aten::_foreach_mul_": "clipping",
    "aten::_fused_adamw_": "AdamW",
}


class Times:
    """CPU seconds of each step, of the masks in it and of each evaluation.

    Where `is_profile`, also those of the operators of each step; this makes all else slower. `weight_shapes` are those
    of the weights that are cast.
    """

    def __init__(self, weight_shapes: Collection[tuple[int, ...]] = (), *, is_profile: bool = False) -> None:
        self.steps: list[float] = []
        self.masks: list[float] = []
        self.evaluations: list[float] = []
        self.operators: list[Mapping[tuple[str, str], list[float]]] = []  # by part and name, in the order of calls
        self._weight_shapes, self._is_profile = weight_shapes, is_profile
        self._part: str | None = None

    def parts(self) -> dict[str, float]:
        """Return the seconds of each part: of each call the median over the steps, which must be equal."""
        totals: dict[str, float] = defaultdict(float)
        for part, name in {key for step in self.operators for key in step}:
            calls = [step[part, name] for step in self.operators if (part, name) in step]
            totals[part] += sum(median(same) for same in zip(*calls, strict=False))
        return dict(totals)

    @contextmanager
    def of_fits(self) -> Iterator[None]:
        """Time the fits inside this context."""
        loop = fit_module._TrainingLoop
        with (
            patch.object(loop, "_train", _inside(self.of_step, loop._train)),
            patch.object(loop, "_evaluate", _inside(self.of_evaluation, loop._evaluate)),
            patch.object(_Attention, "forward", staticmethod(self._within("attention, forward", _Attention.forward))),
            patch.object(
                _Attention, "backward", staticmethod(self._within("attention, backward", _Attention.backward))
            ),
            patch.object(DropoutMasks, "draw", self._mask(DropoutMasks.draw)),
        ):
            yield

    @contextmanager
    def of_step(self) -> Iterator[None]:
        """Time what runs inside this context as one step."""
        self.operators.append(defaultdict(list))
        self.masks.append(0.0)
        started = time.thread_time()
        with _Timer(self._add) if self._is_profile else nullcontext():
            yield
        self.steps.append(time.thread_time() - started)

    @contextmanager
    def of_evaluation(self) -> Iterator[None]:
        """Time what runs inside this context as one evaluation."""
        started = time.thread_time()
        yield
        self.evaluations.append(time.thread_time() - started)

    def _add(self, name: str, args: Sequence[Any], output: Any, seconds: float) -> None:
        if self._part != MASKS:
            self.operators[-1][self._part or self._part_of(name, args, output), name].append(seconds)

    def _part_of(self, name: str, args: Sequence[Any], output: Any) -> str:
        if name == "aten::_to_copy" and tuple(output.shape) in self._weight_shapes:
            casts = {torch.bfloat16: "casts of weights", torch.float32: "casts of gradients"}
            return casts.get(output.dtype, OTHER) if args[0].dtype != output.dtype else OTHER
        return _PARTS.get(name, OTHER)

    def _within(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            outer, self._part = self._part, part
            try:
                return function(*args, **more)
            finally:
                self._part = outer

        return run

    def _mask(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        """Time a whole draw: NumPy's part of it is not an operator."""
        inside = self._within(MASKS, draw)

        def run(*args: Any, **more: Any) -> Any:
            started = time.thread_time()
            mask = inside(*args, **more)
            self.masks[-1] += time.thread_time() - started
            return mask

        return run


def _inside(context: Callable[[], AbstractContextManager[None]], function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **more: Any) -> Any:
        with context():
            return function(*args, **more)

    return run


class _Timer(TorchDispatchMode):
    """Calls `add` with each operator's name, arguments, output and CPU seconds."""

    def __init__(self, add: Callable[[str, Sequence[Any], Any, float], None]) -> None:
        super().__init__()
        self._add = add

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        started = time.thread_time()
        output = func(*args, **(kwargs or {}))
        self._add(func._schema.name, args, output, time.thread_time() - started)
        return output

"""The CPU time of each part of labelling texts, operator by operator."""

from collections import defaultdict
from collections.abc import Callable

_PARTS = {
    "aten::addmm": "linear layers",  # every linear layer of a BERT has a bias
    "aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
    "aten::gelu": "GELU",
    "aten::native_layer_norm": "layer norm",
}

OTHER = "other operators"

PARTS = (*_PARTS.values(), OTHER)


def seconds_by_part(run: Callable[[], object]) -> dict[str, float]:
    """Return the CPU seconds of torch's operators in a run on one thread, in the order of PARTS."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the profiler sees the thread that started it
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        run()
    torch.set_num_threads(n_threads)
    seconds: dict[str, float] = defaultdict(float)
    for operator in profiled.key_averages():
        if operator.key.startswith("aten::"):
            seconds[_PARTS.get(operator.key, OTHER)] += operator.self_cpu_time_total / 1e6
    return {part: seconds[part] for part in PARTS}

"""Who froze a parameter: what rates froze, other rates may open again; what the user froze stays frozen.

The mark is on the module that has the parameter, and not on the parameter: `copy.deepcopy` copies the attributes of
modules alone.
"""

from collections.abc import Collection

import torch
from torch.nn.parallel import DistributedDataParallel

from finetune_alf.errors import RatesError

_MARK = "_frozen_by_rates"
"""The attribute of a module with the names of its own parameters that rates have frozen."""


def frozen_by_user(model: torch.nn.Module) -> set[str]:
    """Return the names of the parameters that are frozen, but not by rates."""
    marked = {
        id(parameter)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if name in vars(module).get(_MARK, ())
    }
    return {name for name, p in model.named_parameters() if not p.requires_grad and id(p) not in marked}


def mark_frozen(model: torch.nn.Module, by_user: Collection[str] = ()) -> None:
    """Mark all that is frozen, but what the user froze, as frozen by rates, and nothing else."""
    unmarked = {id(parameter) for name, parameter in model.named_parameters() if name in by_user}
    for module in model.modules():
        own = module.named_parameters(recurse=False)
        names = {name for name, p in own if not p.requires_grad and id(p) not in unmarked}
        vars(module).pop(_MARK, None)
        if names:
            vars(module)[_MARK] = names


def check_wrapped(model: torch.nn.Module, trained: Collection[str]) -> None:
    """Raise RatesError where a DistributedDataParallel has been built for other parameters than those of `trained`.

    It waits for the gradients of what was trained when it was built, unless it looks for unused parameters, and never
    averages those of what is opened later.
    """
    for wrapper in model.modules():
        if not isinstance(wrapper, DistributedDataParallel):
            continue
        held = {id(parameter) for parameter in wrapper.parameters()}
        may_freeze = wrapper.find_unused_parameters or wrapper.static_graph
        for name, parameter in model.named_parameters():
            opens = name in trained and not parameter.requires_grad
            freezes = name not in trained and parameter.requires_grad and not may_freeze
            if id(parameter) in held and (opens or freezes):
                raise RatesError(
                    f"{name}: must be {'trained' if opens else 'frozen'} by these rates, and is in a "
                    "DistributedDataParallel that was built for the opposite. Build the groups before wrapping: "
                    "groups = param_groups(model, rates), then DistributedDataParallel(model)."
                )

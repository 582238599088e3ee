"""The memory of the device that fits run on: what is free, what a fit has taken, and when there was too little."""

import gc

import torch

from finetune_alf.execute.devices import room_for


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device, or this machine, had no memory left for a tensor."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)


def release_memory() -> None:
    """Give back what the failed fit held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def room_on(device: str) -> int | None:
    """Return how many more processes like this one the memory of a GPU has room for; None for another device."""
    if torch.device(device).type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return room_for(free, torch.cuda.max_memory_reserved(device))

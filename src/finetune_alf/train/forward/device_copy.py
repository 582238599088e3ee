"""Copies from the CPU to a device for which the CPU does not wait."""

from collections.abc import Callable, Sequence

import torch


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device; on CUDA from page-locked memory, so that nothing waits for the device's work."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def all_to_device(tensors: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Return tensors of the CPU on a device: themselves on a CPU, else views of one copy a dtype."""
    if device.type == "cpu":
        return list(tensors)
    return copy_together(tensors, lambda tensor: to_device(tensor, device))


def copy_together(tensors: Sequence[torch.Tensor], copy: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Tensor]:
    """Return copies of tensors, in their order: `copy` is called once a dtype, on all elements in one row."""
    copies: dict[int, torch.Tensor] = {}
    for dtype in {tensor.dtype for tensor in tensors}:
        own = [(index, tensor) for index, tensor in enumerate(tensors) if tensor.dtype == dtype]
        row = copy(torch.cat([tensor.flatten() for _, tensor in own]))
        parts = torch.split(row, [tensor.numel() for _, tensor in own])
        copies |= {index: part.view(tensor.shape) for (index, tensor), part in zip(own, parts, strict=True)}
    return [copies[index] for index in range(len(tensors))]

"""AdamW that clips gradients in the same pass over memory in which it uses them.

The plain reference is torch.nn.utils.clip_grad_norm_, which multiplies every gradient, followed by
torch.optim.AdamW.
"""

import ctypes
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from harness.training.speedups.compiled.library import KINDS, Library

EPSILON = 1e-6
"""Added to the norm as in torch.nn.utils.clip_grad_norm_."""


class _Tensor(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("parameter", "gradient", "mean", "square")),
        ("count", ctypes.c_int64),
    )


class _Settings(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_double) for n in ("learning_rate", "decay", "beta1", "beta2", "epsilon")),
        ("step", ctypes.c_int64),
        ("scale", ctypes.c_double),
    )


def supports(parameters: Iterable[Tensor]) -> bool:
    """Return whether compiled code can update these parameters."""
    parameters = list(parameters)
    kinds = {(parameter.dtype, parameter.device.type) for parameter in parameters}
    return (
        len(kinds) == 1
        and kinds <= {(dtype, "cpu") for dtype in KINDS}
        and all(parameter.is_contiguous() for parameter in parameters)
    )


class CompiledAdamW(torch.optim.AdamW):
    """AdamW for parameters of one type on the CPU; gradients are clipped while they are used.

    Call `clip` before `step`, in place of torch.nn.utils.clip_grad_norm_.
    """

    def __init__(self, params: Any, *, library: Library, **settings: Any) -> None:
        super().__init__(params, **settings)
        kind = KINDS[self.param_groups[0]["params"][0].dtype]
        self._squared_norm = library.functions[f"squared_norm_{kind}"]
        self._adamw = library.functions[f"adamw_{kind}"]
        self._squared_norm.restype, self._adamw.restype = ctypes.c_double, None
        self._scale = 1.0

    def clip(self, max_norm: float) -> Tensor:
        """Return the norm of all gradients; `step` multiplies them as clipping would."""
        tensors = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        table = (_Tensor * len(tensors))(
            *(_Tensor(gradient=_gradient(p), count=p.numel()) for p in tensors)
        )
        norm = math.sqrt(sum(_in_threads(self._squared_norm, table)))
        scale = max_norm / (norm + EPSILON)
        self._scale = 1.0 if scale > 1 else scale  # NaN stays NaN, as in the plain reference
        return torch.tensor(norm)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("CompiledAdamW takes no closure")
        for group in self.param_groups:
            for number, parameters in self._by_step(group["params"]).items():
                table = (_Tensor * len(parameters))(*map(self._describe, parameters))
                rate, decay, epsilon = group["lr"], group["weight_decay"], group["eps"]
                settings = _Settings(rate, decay, *group["betas"], epsilon, number, self._scale)
                _in_threads(self._adamw, table, ctypes.byref(settings))
        self._scale = 1.0

    def _by_step(self, parameters: Iterable[Tensor]) -> dict[int, list[Tensor]]:
        """Return the parameters with gradients by the number of their step, from 1."""
        found: dict[int, list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["step"] = 0
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
            state["step"] += 1
            found[state["step"]].append(parameter)
        return found

    def _describe(self, parameter: Tensor) -> _Tensor:
        state = self.state[parameter]
        return _Tensor(
            parameter.data_ptr(),
            _gradient(parameter),
            state["exp_avg"].data_ptr(),
            state["exp_avg_sq"].data_ptr(),
            parameter.numel(),
        )


def use_compiled_optimizer(trainer: Trainer, library: Library) -> None:
    """Make a trainer, before it trains, use CompiledAdamW in place of clipping and AdamW."""
    _, settings = Trainer.get_optimizer_cls_and_kwargs(trainer.args)
    settings = {name: value for name, value in settings.items() if name != "fused"}
    trainer.optimizer_cls_and_kwargs = (CompiledAdamW, {"library": library, **settings})

    def clip(_parameters: Any, max_norm: float, norm_type: float = 2) -> Tensor:
        if norm_type != 2:
            raise ValueError(f"CompiledAdamW clips by the norm of order 2, not {norm_type}")
        # Trainer makes its optimizer when training begins, and accelerate wraps it.
        wrapped: Any = trainer.optimizer
        norm: Tensor = wrapped.optimizer.clip(max_norm)
        return norm

    trainer.accelerator.clip_grad_norm_ = clip


def _gradient(parameter: Tensor) -> int:
    """Return the address of a parameter's gradient.

    Raises:
        ValueError: it is not stored like the parameter.
    """
    gradient = parameter.grad
    if gradient is None or gradient.dtype != parameter.dtype or not gradient.is_contiguous():
        raise ValueError("a gradient is missing, or is not stored like its parameter")
    return gradient.data_ptr()


def _in_threads(function: Any, table: Any, *arguments: Any) -> Sequence[Any]:
    """Call a compiled function with equal shares of all elements, one for each of torch's threads.

    Returns the results, by share.
    """
    threads = torch.get_num_threads()
    elements = sum(tensor.count for tensor in table)
    bounds = [ctypes.c_int64(elements * share // threads) for share in range(threads + 1)]

    def call(begin: ctypes.c_int64, end: ctypes.c_int64) -> Any:
        return function(table, ctypes.c_int64(len(table)), begin, end, *arguments)

    if threads == 1:
        return [call(*bounds)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, bounds[:-1], bounds[1:]))

"""The layers of a supported encoder, forward and backward, as one call of compiled code each.

The plain reference is harness.training.speedups.packing with all of its speed-ups. Gradients are
written into the parameters' `grad` directly: autograd sees one function from the embeddings'
output to the encoder's.
"""

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from harness.training.speedups.compiled.library import KINDS, Library
from harness.training.speedups.dropout import LEVELS
from harness.training.speedups.layers import Encoder, Layer

SEED_WORDS = 64
ALIGNMENT = 64


_PARAMETERS = (
    *("qkv", "qkv_bias", "projection", "projection_bias", "attention_norm", "attention_norm_bias"),
    *("up", "up_bias", "down", "down_bias", "output_norm", "output_norm_bias"),
)


class _Parameters(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in _PARAMETERS)


class _Layer(ctypes.Structure):
    _fields_ = (
        ("weights", _Parameters),
        ("gradients", _Parameters),
        ("attention_norm_epsilon", ctypes.c_double),
        ("output_norm_epsilon", ctypes.c_double),
        ("attention_dropped", ctypes.c_int32),
        ("projection_dropped", ctypes.c_int32),
        ("feed_forward_dropped", ctypes.c_int32),
    )


class _Batch(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("sentences", "layers", "heads", "width", "inner")),
        ("length", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("starts", "bias", "bias_gradient", "seed", "gemm")),
        ("accumulate", ctypes.c_int64),
        ("tiled", ctypes.c_int64),
    )


@dataclass(frozen=True)
class Compiled:
    """An encoder whose layers run in compiled code.

    `tensors` are the parameters with the tensors that receive their gradients. `layers` contains
    their addresses, and those of the parameters, which are also `addresses`. `joined` are the
    query, key and value projections, whose parameters are parts of one tensor meanwhile. `tiled` is
    whether the library's own matrix products serve a single thread.
    """

    encoder: Encoder
    functions: ctypes.CDLL
    gemm: int
    tiled: bool
    kind: str
    layers: Any
    tensors: tuple[tuple[Tensor, Tensor], ...]
    addresses: tuple[int, ...]
    joined: tuple[nn.Linear, ...]


def supports(encoder: Encoder) -> bool:
    """Return whether the compiled layers compute what an encoder's own layers do."""
    parameters = [
        p for layer in encoder.layers for part in _parts(layer) for p in part.parameters()
    ]
    kinds = {(p.dtype, p.device.type, p.requires_grad) for p in parameters}
    return (
        len(kinds) == 1
        and kinds <= {(dtype, "cpu", True) for dtype in KINDS}
        and all(_is_plain(layer) for layer in encoder.layers)
    )


def _parts(layer: Layer) -> tuple[nn.Module, ...]:
    linears = (layer.query, layer.key, layer.value, layer.projection, layer.up, layer.down)
    return (*linears, layer.attention_norm, layer.output_norm)


def _is_plain(layer: Layer) -> bool:
    shapes = {part.weight.shape for part in (layer.query, layer.key, layer.value, layer.projection)}
    probabilities = (
        layer.attention_dropout,
        layer.projection_dropout,
        layer.feed_forward_dropout,
    )
    return (
        # GELU with the error function; other activations approximate it, or differ.
        (type(layer.activation) is GELUActivation or type(layer.activation) is nn.GELU)
        and getattr(layer.activation, "approximate", "none") == "none"
        and not getattr(layer.activation, "use_gelu_python", False)
        and all(type(part) in (nn.Linear, nn.LayerNorm) for part in _parts(layer))
        and all(part.bias is not None for part in _parts(layer))
        and len(shapes) == 1
        and all(round(p * LEVELS) < LEVELS for p in probabilities)
    )


def rewrite_forward(encoder: Encoder, library: Library) -> Compiled:
    """Replace the forward of a model's encoder with the compiled one, in place.

    The last layer computes only the first token of each sentence: (sentences, 1, width).
    """
    dtype = encoder.layers[0].up.weight.dtype
    layers = (_Layer * len(encoder.layers))()
    tensors: list[tuple[Tensor, Tensor]] = []
    for layer, filled in zip(encoder.layers, layers, strict=True):
        tensors += _fill(filled, layer)
    joined = tuple(part for e in encoder.layers for part in (e.query, e.key, e.value))
    compiled = Compiled(
        encoder=encoder,
        functions=library.functions,
        gemm=library.gemm[dtype],
        tiled=library.tiled,
        kind=KINDS[dtype],
        layers=layers,
        tensors=tuple(tensors),
        addresses=_addresses(tensors),
        joined=joined,
    )
    encoder.module.forward = _forward(compiled)
    return compiled


def _addresses(tensors: Iterable[tuple[Tensor, Tensor]]) -> tuple[int, ...]:
    return tuple(parameter.data_ptr() for parameter, _ in tensors)


def undo(compiled: Compiled) -> None:
    """Give every parameter a tensor of its own again, and the encoder its own forward."""
    del compiled.encoder.module.forward
    for part in compiled.joined:
        for parameter in part.parameters():
            parameter.data = parameter.data.clone()
    for tensor, _ in compiled.tensors:
        tensor.grad = None


def _fill(filled: Any, layer: Layer) -> list[tuple[Tensor, Tensor]]:
    """Describe a layer to the compiled code; return its parameters with their gradients' tensors.

    Query, key and value become parts of one matrix, so that one product computes them.
    """
    tensors: list[tuple[Tensor, Tensor]] = []
    weights, gradients = [], []
    three = (layer.query, layer.key, layer.value)
    of_three: tuple[list[Tensor], ...] = ([p.weight for p in three], [p.bias for p in three])
    for parameters in of_three:
        whole = torch.cat([parameter.detach() for parameter in parameters])
        gradient = torch.empty_like(whole)
        parts = zip(parameters, whole.chunk(3), gradient.chunk(3), strict=True)
        for parameter, part, part_of_gradient in parts:
            parameter.data = part
            tensors.append((parameter, part_of_gradient))
        weights.append(whole)
        gradients.append(gradient)
    for module in (layer.projection, layer.attention_norm, layer.up, layer.down, layer.output_norm):
        own: tuple[Tensor, ...] = (module.weight, module.bias)
        for parameter in own:
            parameter.data = parameter.data.contiguous()
            tensors.append((parameter, torch.empty_like(parameter.data)))
            weights.append(parameter.data)
            gradients.append(tensors[-1][1])
    for structure, filling in ((filled.weights, weights), (filled.gradients, gradients)):
        for name, tensor in zip(_PARAMETERS, filling, strict=True):
            setattr(structure, name, tensor.data_ptr())
    filled.attention_norm_epsilon = layer.attention_norm.eps
    filled.output_norm_epsilon = layer.output_norm.eps
    filled.attention_dropped = round(layer.attention_dropout * LEVELS)
    filled.projection_dropped = round(layer.projection_dropout * LEVELS)
    filled.feed_forward_dropped = round(layer.feed_forward_dropout * LEVELS)
    return tensors


def _forward(compiled: Compiled) -> Callable[..., Any]:
    encoder = compiled.encoder

    def forward(hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Any:
        # Compiled code reads at addresses, and the memory at an old one may be another's by now.
        if _addresses(compiled.tensors) != compiled.addresses:
            raise RuntimeError(
                "a model was moved or converted while its layers are compiled code; do so before "
                "speed-ups are applied, or after they are undone"
            )
        bias = None if encoder.position_bias is None else encoder.position_bias(hidden_states)
        if torch.is_grad_enabled() and not hidden_states.requires_grad:
            # Else autograd, which does not see the layers' parameters, would skip them.
            hidden_states = hidden_states.detach().requires_grad_()
        hidden = _Layers.apply(  # type: ignore[no-untyped-call]
            hidden_states.contiguous(),
            # The same for every sentence; (1 or sentences, heads, length, length).
            None if bias is None else bias[0].contiguous(),
            compiled,
            _rows(hidden_states, attention_mask),
            torch.is_grad_enabled(),
        )
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden)

    return forward


def _rows(hidden_states: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the positions of the real tokens in the flattened batch, and where sentences start."""
    sentences, length, _ = hidden_states.shape
    starts = torch.zeros(sentences + 1, dtype=torch.int64)
    if attention_mask is None:
        starts[1:] = length
        return torch.arange(sentences * length), starts.cumsum(0)
    # Every query row of an encoder's mask is the same: it marks the real keys.
    keys = attention_mask[:, :1, -1:, :]
    real = keys if keys.dtype == torch.bool else keys == 0
    starts[1:] = real.sum(dim=-1).flatten()
    return real.flatten().nonzero().squeeze(1), starts.cumsum(0)


class _Layers(torch.autograd.Function):
    """From hidden states (sentences, length, width) to those after the last layer."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        bias: Tensor | None,
        compiled: Compiled,
        rows: tuple[Tensor, Tensor],
        keep: bool,
    ) -> Tensor:
        places, starts = rows
        sentences, length, width = hidden.shape
        seed = None
        if compiled.encoder.module.training:
            seed = torch.randint(-(2**31), 2**31, (SEED_WORDS,)).to(torch.int32)
        batch = _Batch(
            sentences=sentences,
            layers=len(compiled.layers),
            heads=compiled.encoder.layers[0].heads,
            width=width,
            inner=compiled.encoder.layers[0].up.out_features,
            length=length,
            starts=starts.data_ptr(),
            bias=None if bias is None else bias.data_ptr(),
            seed=None if seed is None else seed.data_ptr(),
            gemm=compiled.gemm,
            tiled=compiled.tiled and torch.get_num_threads() == 1,
        )
        buffer, address = _buffer(_function(compiled, "size")(ctypes.byref(batch), int(keep)))
        output = hidden.new_empty(sentences, 1, width)
        _function(compiled, "forward")(
            ctypes.byref(batch),
            compiled.layers,
            ctypes.c_void_p(address),
            int(keep),
            *_pointers(hidden, places, output),
        )
        if keep:
            ctx.compiled, ctx.batch, ctx.address = compiled, batch, address
            ctx.places, ctx.shape = places, hidden.shape
            ctx.bias_shape = None if bias is None else bias.shape
            ctx.others = buffer, starts, seed  # the batch has their addresses
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = (given.contiguous() for given in gradients)
        compiled, batch = ctx.compiled, ctx.batch
        # Parts of a batch add to each other's gradients.
        batch.accumulate = compiled.tensors[0][0].grad is not None
        if not batch.accumulate:
            for parameter, tensor in compiled.tensors:
                parameter.grad = tensor
        bias = None
        if ctx.bias_shape is not None:
            bias = gradient.new_zeros(ctx.bias_shape)
            batch.bias_gradient = bias.data_ptr()
        _scratch, scratch = _buffer(_function(compiled, "scratch")(ctypes.byref(batch)))
        hidden = gradient.new_zeros(ctx.shape)
        _function(compiled, "backward")(
            ctypes.byref(batch),
            compiled.layers,
            ctypes.c_void_p(ctx.address),
            ctypes.c_void_p(scratch),
            *_pointers(gradient, ctx.places, hidden),
        )
        return hidden, bias, None, None, None


def _function(compiled: Compiled, name: str) -> Any:
    function = compiled.functions[f"{name}_{compiled.kind}"]
    function.restype = ctypes.c_int64 if name in ("size", "scratch") else None
    return function


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]


def _buffer(size: int) -> tuple[Tensor, int]:
    """Return a tensor with room for `size` bytes, and the first aligned address in it."""
    room = torch.empty(size + ALIGNMENT, dtype=torch.uint8)
    return room, room.data_ptr() + -room.data_ptr() % ALIGNMENT

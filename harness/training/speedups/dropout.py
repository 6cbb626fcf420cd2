"""Dropout whose masks are made from 64-bit random words, four decisions per word."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

LEVELS = 2**16
"""Random words have 16 bits: a probability is rounded to the nearest 1/65536."""


def dropout(hidden: Tensor, probability: float, training: bool) -> Tensor:
    """Zero elements at random and scale up the others, so that the expectation does not change.

    The plain reference is `torch.nn.functional.dropout`, which on a CPU draws one random number per
    element. The probability is rounded to the nearest 1/65536, and the scale is computed from the
    rounded probability. The plain reference is used on other devices, and if the rounded
    probability is 0 or 1.
    """
    if not training or probability == 0.0:
        return hidden
    dropped = round(probability * LEVELS)
    if hidden.device.type != "cpu" or not 0 < dropped < LEVELS:
        return F.dropout(hidden, probability, training)
    count = math.prod(hidden.shape)
    words = torch.randint(-(2**63), 2**63 - 1, ((count + 3) // 4,))
    decisions = words.view(torch.int16)[:count].view(hidden.shape)
    kept = decisions >= dropped - LEVELS // 2
    return hidden * kept.to(hidden.dtype).mul_(LEVELS / (LEVELS - dropped))

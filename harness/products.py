"""Sums of products that are the same bits on every processor.

BLAS, which `@` calls, adds in another order on each kind of processor. Published tables must be the
same bytes wherever they are made again, so their numbers come from these functions. Counts are
exact in any order, and may use `@`.
"""

import numpy as np


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the sum of the products of two vectors."""
    return float((a * b).sum())


def matrix_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a (n, k) times the transpose of b (m, k) or, for a vector b (k,), times b."""
    # Without `optimize`, einsum does not call BLAS.
    product: np.ndarray = np.einsum("ik,k->i" if b.ndim == 1 else "ik,jk->ij", a, b)
    return product

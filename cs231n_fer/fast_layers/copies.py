"""Copies of caches: what depends on the processor is rebuilt where the copy is, or refused.

A cache holds sizes that are rounded up to whole vectors, and addresses of compiled code.
"""
from collections.abc import Callable
from typing import Any, TypeVar

from ..kernels.vectors.machine import VECTOR_BYTES
from ..shapes import check

__all__ = ["rebuilt"]

T = TypeVar("T")


def rebuilt(vector_bytes: int, make: Callable[..., T], *arguments: Any) -> T:
    """Return make(*arguments), part of a cache that was copied, possibly from another process.

    vector_bytes   bytes of a vector in the process of the forward pass
    Raises ValueError where vectors have another size in this process.
    """
    check(vector_bytes == VECTOR_BYTES,
          f"cache: is of a forward pass with vectors of {vector_bytes} bytes, here they have "
          f"{VECTOR_BYTES}; run the forward pass in this process, or set CS231N_FER_SIMD to what "
          "it was there")
    return make(*arguments)

"""How work is divided into parts, and how partial sums are added up, for all kernels.

The parts of a sum depend on the sizes alone and never on the number of threads, so that the number
of threads doesn't change any bit of a result.
"""
from .shape import VECTORS
from .vectors.jit import jit

BLOCK = 16384  # numbers of a flat array that one task of an element-wise kernel works on


@jit(inline=True)
def part_of(count, part, parts):
    """Return begin and end of one of several nearly equal parts of 0...count."""
    return part * count // parts, (part + 1) * count // parts


@jit(inline=True)
def even_blocks(count, most):
    """Return the images per block.

    All blocks get about the same number, so that none reads all the weights for a single image.
    """
    blocks = -(-count // most)
    return -(-count // blocks) if blocks else 1


@jit(inline=True)
def share(channels, part, parts, lanes):
    """Return begin and end of the channels that a part works on, in whole register tiles."""
    width = VECTORS * lanes
    begin, end = part_of(channels // width, part, parts)
    return begin * width, end * width


@jit(inline=True)
def add_rows(rows, begin, end):
    """Add the numbers begin...end of all rows, which are partial sums, into the first row."""
    total = rows[0, begin:end]
    for k in range(1, len(rows)):
        more = rows[k, begin:end]
        for i in range(len(more)):
            total[i] += more[i]

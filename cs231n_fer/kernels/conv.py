"""Convolution over a batch: blocks of images in parallel, each taken through every step while it is in the cache.

The steps of a block are those of winograd.py or of direct.py; pixels.py says what happens to its outputs. Threads share
nothing but prepared weights. What several blocks add up to (the gradient of w) is summed for a fixed number of chunks,
which depends on the batch and not on the threads, and the chunks are added in a fixed order: 1, 2 and 16 threads give
the same bits.

All arrays are flat and C-contiguous, x (N, H, W, C), out (N, Ho, Wo, F), but for scratch (threads, plan.scratch), and
dw and db, see backward(); those that an epilogue doesn't use may be empty. `steps` has the addresses of the steps.
"""
from functools import cache
from typing import NamedTuple

from numba import get_thread_id, prange

from . import direct, pixels, weights, winograd
from .pixels import clear
from .product import add_rows, portion
from .shape import VECTORS, Plan
from .vectors.calls import BOOL, BYTES, FLOATS, INT, call, nested, step
from .vectors.jit import jit
from .winograd_tiles import GATHER_DZ, GATHER_X, SCATTER_DX, SCATTER_Z, rows_of_tiles

MOST_CHUNKS, CHUNK_IMAGES = 16, 12
SUM_PART = 8192  # numbers of dw that one thread adds up


def chunks_of(count):
    """Number of partial sums for a batch: a power of two, at most 16, of 12 images or more each; 2 if that gives one.

    More of them let more threads work; each is written and read once more. A step of the final net with 8 images takes
    0.83 times as long with two of them as with one on two threads, and 1.04 times on one.
    """
    if count < 2:
        return 1
    chunks = 2
    while chunks < MOST_CHUNKS and count >= 2 * chunks * CHUNK_IMAGES:
        chunks *= 2
    return chunks


def backward_splits(plan, threads, chunks, want_dx):
    """Parts of a chunk, where there are more threads than chunks: one for dx and one for dw, each of some channels.

    Every part undoes the epilogue and transforms dz for itself; all others of its products are its own, so that no bit
    depends on it. Direct convolution isn't split.
    """
    each, sides = threads // chunks, 2 if want_dx else 1
    if each < 2 or not plan.m:
        return 1
    return sides * max(1, min(each // sides, plan.size.Cp // (VECTORS * plan.size.lanes)))


class Epilogue(NamedTuple):
    """What happens to z = x * w + b: out = z or relu(z); pooled = its 2 x 2 max-pool; sums = its moments."""
    writes: bool
    relu: bool
    pools: bool
    sums: bool


class ForwardSteps(NamedTuple):
    """Addresses of the steps of a forward pass."""
    part: int
    prepare: int
    pack: int
    gather_x: int
    multiply: int
    scatter_z: int
    write: int
    moments: int
    pool: int


class BackwardSteps(NamedTuple):
    """Addresses of the steps of a backward pass."""
    part: int
    unpool: int
    mask: int
    pack: int
    gather_x: int
    gather_dz: int
    multiply: int
    scatter_dx: int
    unpack: int
    finish: int


@cache
def forward_addresses(m, dtype):
    """Compile or load the steps of a forward pass for tiles of m outputs (0: direct) and a NumPy dtype."""
    tiles = m or 4  # a direct convolution calls none of the transforms
    engine = winograd if m else direct
    return ForwardSteps(*(each.address(dtype) for each in (
        forward_part, weights.TRANSFORM[m] if m else weights.lay_out, pixels.pack, GATHER_X[tiles], engine.multiply,
        SCATTER_Z[tiles], pixels.write, pixels.moments, pixels.pool)))


@cache
def backward_addresses(m, dtype):
    """Compile or load the steps of a backward pass, as forward_addresses."""
    return BackwardSteps(*(each.address(dtype) for each in backward_steps(m)))


def backward_steps(m):
    """The steps of a backward pass, in the order of BackwardSteps."""
    tiles = m or 4
    engine = winograd if m else direct
    return (backward_part, pixels.unpool, pixels.mask, pixels.pack, GATHER_X[tiles], GATHER_DZ[tiles],
            engine.multiply_back, SCATTER_DX[tiles], pixels.unpack,
            weights.TRANSFORM_BACK[m] if m else weights.take_back)


@jit(inline=True)
def even_blocks(count, most):
    """Images in a block: as many in all blocks, so that none of them reads all weights for a single image."""
    blocks = -(-count // most)
    return -(-count // blocks) if blocks else 1


@jit(inline=True)
def share(channels, part, parts, lanes):
    """Begin and end of the channels that a part works on: whole register tiles."""
    width = VECTORS * lanes
    begin, end = portion(channels // width, part, parts)
    return begin * width, end * width


@jit(parallel=True)
def prepare(numbers, address, w, scratch, rows, turned, u):
    """u = the weights w (HH, WW, C, F) as the engine multiplies with them: `rows` channels, or filters if turned.

    address   of the step that does it for some of them
    """
    for part in prange(-(-rows // weights.ROWS)):
        first = part * weights.ROWS
        last = min(first + weights.ROWS, rows)
        call(address, w, scratch[get_thread_id()], u, nested(numbers, Plan), first, last, turned)


@jit(parallel=True)
def forward(numbers, steps, epilogue, in_place, x, u, bias, sign, out, pooled, winners, sums, count, ranges, splits,
            scratch):
    """Convolve `count` images x with prepared weights u, and finish them.

    numbers   flat(plan)
    in_place  out is z itself, and its memory laid out as plan.z_grid: no bias, nothing rounded up, nothing to copy;
              not for a large one, which is copied past the caches in less time
    ranges    parts of the batch that are worked on in parallel
    splits    parts of the filters, or of the rows in direct convolution, so that one image can use several threads
    bias, sign (Fp,), pooled (N, Ho // 2, Wo // 2, F), winners the same of uint8 with Fp channels, sums (N, 2, Fp)
    """
    for part in prange(ranges * splits):
        begin, end = portion(count, part // splits, ranges)
        call(steps.part, nested(numbers, Plan), steps, epilogue, in_place, x, u, bias, sign, out, pooled, winners, sums,
             begin, end, part % splits, splits, scratch[get_thread_id()])


@step(Plan, ForwardSteps, Epilogue, BOOL, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, BYTES, FLOATS,
      INT, INT, INT, INT, FLOATS)
def forward_part(plan, steps, epilogue, in_place, x, u, bias, sign, out, pooled, winners, sums,
                 begin, end, part, splits, s):
    """What one thread does of forward(): the images begin...end, and a part of their filters or rows."""
    size, grid = plan.size, plan.z_grid
    z, z_at, z_step = (out, 0, grid.rows * grid.row) if in_place else (s, plan.z_at, 0)
    strip = size.Ho if epilogue.sums and plan.m == 0 else plan.strip
    f0, f1, begin_row, end_row = work_of(plan, part, splits, strip)
    end_f, images = min(f1, size.F), even_blocks(end - begin, plan.images)
    for first in range(begin, end, images):
        last = min(first + images, end)
        for top in range(begin_row, end_row, strip):
            bottom, row = min(top + strip, end_row), top * grid.row
            shift = 0 if in_place or epilogue.sums else row  # a strip begins at z_at where z isn't kept as a whole
            down = rows_of_tiles(top, bottom, plan)
            for image in range(first, last):
                if top == begin_row:
                    call(steps.pack, x, image, size, s, 0, plan.x_grid)
                if plan.m:
                    call(steps.gather_x, s, plan, image - first, down, top * plan.x_grid.row, plan.x_grid, plan.V, 0,
                         size.C)
            call(steps.multiply, plan, u, last - first, f0, f1, top, bottom, s, z, z_at + first * z_step - shift)
            for image in range(first, last):
                at = z_at + image * z_step - shift
                if plan.m:
                    call(steps.scatter_z, s, plan, image - first, down, plan.M, z, at + row, grid, f0, f1)
                if epilogue.writes and not in_place:
                    call(steps.write, s, at, grid, size, image, top, bottom, bias, epilogue.relu, out, f0, end_f)
                if epilogue.sums and bottom == size.Ho:
                    call(steps.moments, z, at, grid, size, image, bias, sums, f0, end_f)
                if epilogue.pools:
                    call(steps.pool, z, at, grid, size, image, top, bottom, bias, sign, epilogue.relu, pooled,
                         winners, f0, end_f)


@jit(inline=True)
def work_of(plan, part, splits, strip):
    """Begin and end of the filters, and of the rows of outputs, that a part works on: it has all of either."""
    size = plan.size
    if plan.m:
        f0, f1 = share(size.Fp, part, splits, size.lanes)
        return f0, f1, 0, size.Ho
    begin, end = portion(-(-size.Ho // strip), part, splits)
    return 0, size.Fp, begin * strip, min(end * strip, size.Ho)


@jit(parallel=True)
def backward(numbers, steps, relu, dout, kept, winners, vectors, x, ut, want_dx, dx, dw, db, splits, scratch, count):
    """Gradients of a convolution and its epilogue; ut: prepared weights, turned unless plan.few.

    numbers        flat(plan)
    dout           (N, Ho, Wo, F), or (N, Ho // 2, Wo // 2, F) where there are winners: below a max-pool
    relu, kept     dz = dout where kept > 0
    vectors        (4, Fp) with batchnorm, see pixels.unpool and mask; then kept is z, its input
    dx             result, like x
    dw             of each chunk, (chunks, HH * WW * C * F); at the end the first is the sum
    db             (splits, chunks, Fp), as every part of a chunk writes one; at the end db[0, 0] is the sum
    splits         parts of each chunk for threads that would have none: see backward_splits
    count          images
    """
    chunks, parts = len(dw), -(-dw.shape[1] // SUM_PART)
    for task in prange(chunks * splits):
        chunk, part = task // splits, task % splits
        begin, end = portion(count, chunk, chunks)
        call(steps.part, nested(numbers, Plan), steps, relu, dout, kept, winners, vectors, x, ut, want_dx, dx,
             dw[chunk], db[part, chunk], begin, end, part, splits, scratch[get_thread_id()])
    for part in prange(parts):
        add_rows(dw, part * SUM_PART, min((part + 1) * SUM_PART, dw.shape[1]))
    add_rows(db[0], 0, db.shape[2])


@step(Plan, BackwardSteps, BOOL, FLOATS, FLOATS, BYTES, FLOATS, FLOATS, FLOATS, BOOL, FLOATS, FLOATS, FLOATS,
      INT, INT, INT, INT, FLOATS)
def backward_part(plan, steps, relu, dout, kept, winners, vectors, x, ut, want_dx, dx, dw, db, begin, end,
                  part, splits, s):
    """What one thread does of backward(): the images begin...end, and dw and db of them, or a part of that.

    dw is summed as the engine has it, (m + 2)^2 / 9 times as large with Winograd's tiles, in scratch memory that a
    thread uses for all its chunks. All parts sum up db, which costs next to nothing.
    """
    size, grid, images = plan.size, plan.z_grid, even_blocks(end - begin, plan.images)
    sides = 2 if splits > 1 and want_dx else 1  # of a split chunk even parts do dw, and odd ones dx
    want_dw, want_dx = sides == 1 or part % 2 == 0, want_dx and (sides == 1 or part % 2 == 1)
    c0, end_c = share(size.Cp, part // sides, splits // sides, size.lanes)
    c1 = min(end_c, size.C)
    clear(db, 0, len(db), size.lanes)
    for first in range(begin, end, images):
        last = min(first + images, end)
        for top in range(0, size.Ho, plan.strip):
            bottom, at = min(top + plan.strip, size.Ho), plan.z_at - top * grid.row
            x_at, down = top * plan.x_grid.row, rows_of_tiles(top, bottom, plan)
            for image in range(first, last):
                if want_dw and top == 0:
                    call(steps.pack, x, image, size, s, 0, plan.x_grid)
                if want_dw and plan.m:
                    call(steps.gather_x, s, plan, image - first, down, x_at, plan.x_grid, plan.V, c0, c1)
                if len(winners):
                    call(steps.unpool, dout, winners, kept, vectors, image, top, bottom, size, s, at, grid, db)
                else:
                    call(steps.mask, dout, kept, relu, vectors, image, top, bottom, size, s, at, grid, db)
                if plan.m:
                    call(steps.gather_dz, s, plan, image - first, down, plan.z_at, grid, plan.M, 0, size.F)
            if want_dx and top == 0 and not plan.m:
                clear(s, plan.dx_at, plan.dx_grid.size, size.lanes)
            adds = first > begin or top > 0
            call(steps.multiply, plan, ut, last - first, c0, c1, top, bottom, s, adds, want_dw, want_dx)
            if want_dx:
                for image in range(first, last):
                    if plan.m:
                        if top == 0:
                            clear(s, plan.dx_at, plan.dx_grid.size, size.lanes)
                        call(steps.scatter_dx, s, plan, image - first, down, plan.V, s, plan.dx_at + x_at,
                             plan.dx_grid, c0, c1)
                    if bottom == size.Ho:
                        call(steps.unpack, s, plan.dx_at, plan.dx_grid, size, image, dx, c0, c1)
    if want_dw:
        call(steps.finish, s, plan, dw, c0, c1)

"""Convolution over a batch: parallel blocks of images, taken through all steps while in the cache.

The steps of a block are those of winograd.py or of direct.py; pixels.py defines what happens to its
outputs. Threads share nothing but prepared weights. The gradient of w, to which all blocks
contribute, is summed in a fixed number of chunks, which depends on the batch and not on the number
of threads, and the chunks are added in a fixed order: 1, 2 and 16 threads give the same bits.

Kernels and steps take the records of arguments.py. Of the remaining arrays, `scratch` is
(threads, plan.scratch), the workspaces of the threads, of which `s` is one; backward() describes
dw and db. `numbers` is flat(plan), and `steps` holds the addresses of the steps.
"""
from functools import cache
from typing import NamedTuple

from numba import get_thread_id, prange

from . import direct, pixels, weights, winograd
from .arguments import (
    BackwardArrays,
    BackwardOptions,
    Epilogue,
    ForwardArrays,
    Region,
    Strip,
    Tiles,
    Work,
)
from .memory import clear
from .parts import add_rows, even_blocks, part_of, share
from .shape import VECTORS, Plan
from .vectors.calls import FLOATS, call, nested, step
from .vectors.jit import jit
from .winograd_tiles import GATHER_DZ, GATHER_X, SCATTER_DX, SCATTER_Z, rows_of_tiles

MOST_CHUNKS = 16
CHUNK_IMAGES = 12
SUM_PART = 8192  # numbers of dw that one task adds up


def chunks_of(count):
    """Return the number of partial sums for a batch.

    It is a power of two, at most 16, with 12 images or more per chunk, but 2 if that would give
    one. More chunks let more threads work; every chunk is written and read once more. A step of the
    final net with 8 images takes 0.83 times as long with two chunks as with one on two threads, and
    1.04 times as long on one thread.
    """
    if count < 2:
        return 1
    chunks = 2
    while chunks < MOST_CHUNKS and count >= 2 * chunks * CHUNK_IMAGES:
        chunks *= 2
    return chunks


def backward_splits(plan, threads, chunks, want_dx):
    """Return into how many parts a chunk is split where there are more threads than chunks.

    A part computes dx or dw, of some of the channels. Every part undoes the epilogue and transforms
    dz for itself; all other products are its own, so that no bit of the result depends on the
    split. Direct convolution isn't split.
    """
    per_chunk = threads // chunks
    sides = 2 if want_dx else 1
    if per_chunk < 2 or not plan.m:
        return 1
    return sides * max(1, min(per_chunk // sides, plan.size.Cp // (VECTORS * plan.size.lanes)))


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
    """Compile or load the steps of a forward pass, and return their addresses.

    m       outputs per side of a Winograd tile, 0 for direct convolution
    dtype   NumPy dtype of the arrays
    """
    tiles = m or 4  # a direct convolution calls none of the transforms
    engine = winograd if m else direct
    prepare = weights.TRANSFORM[m] if m else weights.lay_out
    return ForwardSteps(
        part=forward_part.address(dtype),
        prepare=prepare.address(dtype),
        pack=pixels.pack.address(dtype),
        gather_x=GATHER_X[tiles].address(dtype),
        multiply=engine.multiply.address(dtype),
        scatter_z=SCATTER_Z[tiles].address(dtype),
        write=pixels.write.address(dtype),
        moments=pixels.moments.address(dtype),
        pool=pixels.pool.address(dtype))


@cache
def backward_addresses(m, dtype):
    """Compile or load the steps of a backward pass; arguments as in forward_addresses."""
    return BackwardSteps(*(step.address(dtype) for step in backward_steps(m)))


def backward_steps(m):
    """Return the steps of a backward pass, in the order of BackwardSteps."""
    tiles = m or 4
    engine = winograd if m else direct
    return (backward_part, pixels.unpool, pixels.mask, pixels.pack, GATHER_X[tiles],
            GATHER_DZ[tiles], engine.multiply_back, SCATTER_DX[tiles], pixels.unpack,
            weights.TRANSFORM_BACK[m] if m else weights.take_back)


@jit(parallel=True)
def prepare(numbers, address, w, scratch, rows, turned, u):
    """Write the weights w (HH, WW, C, F) to u as the engine multiplies with them.

    address   of the step that prepares some of the rows
    rows      number of channels, or of filters if turned
    """
    for part in prange(-(-rows // weights.ROWS)):
        first = part * weights.ROWS
        last = min(first + weights.ROWS, rows)
        call(address, w, scratch[get_thread_id()], u, nested(numbers, Plan), first, last, turned)


@jit(parallel=True)
def forward(numbers, steps, epilogue, arrays, parts, scratch):
    """Convolve images with prepared weights, and finish the outputs as an Epilogue says.

    parts   its splits divide the filters, or with direct convolution the rows, so that one image
            can use several threads
    """
    for task in prange(parts.ranges * parts.splits):
        begin, end = part_of(parts.images, task // parts.splits, parts.ranges)
        work = Work(begin=begin, end=end, part=task % parts.splits, splits=parts.splits)
        s = scratch[get_thread_id()]
        call(steps.part, nested(numbers, Plan), steps, epilogue, arrays, work, s)


@step(Plan, ForwardSteps, Epilogue, ForwardArrays, Work, FLOATS)
def forward_part(plan, steps, epilogue, arrays, work, s):
    """Do one thread's work of forward(): some images, and a part of their filters or rows."""
    size = plan.size
    grid = plan.z_grid
    begin = work.begin
    in_place = epilogue.in_place
    z = arrays.out if in_place else s
    z_at = 0 if in_place else plan.z_at
    z_step = grid.rows * grid.row if in_place else 0
    rows = size.Ho if epilogue.sums and plan.m == 0 else plan.strip
    f0, f1, begin_row, end_row = filters_and_rows(plan, work, rows)
    end_f = min(f1, size.F)
    images = even_blocks(work.end - begin, plan.images)
    for first in range(begin, work.end, images):
        last = min(first + images, work.end)
        for top in range(begin_row, end_row, rows):
            bottom = min(top + rows, end_row)
            row = top * grid.row
            # A strip begins at z_at, unless all of z is kept.
            shift = 0 if in_place or epilogue.sums else row
            down = rows_of_tiles(top, bottom, plan)
            strip = Strip(images=last - first, top=top, bottom=bottom, first=f0, last=f1)
            for image in range(first, last):
                if top == begin_row:
                    call(steps.pack, arrays.x, image, size, s, 0, plan.x_grid)
                if plan.m:
                    x_at = top * plan.x_grid.row
                    tiles = Tiles(image=image - first, down=down, at=x_at, first=0, last=size.C)
                    call(steps.gather_x, s, plan, tiles, plan.x_grid, plan.V)
            if plan.m:
                call(steps.multiply, plan, strip, arrays.weights, s)
            else:
                first_at = z_at + first * z_step - shift
                call(steps.multiply, plan, strip, arrays.weights, s, z, first_at)
            for image in range(first, last):
                at = z_at + image * z_step - shift
                if plan.m:
                    tiles = Tiles(image=image - first, down=down, at=at + row, first=f0, last=f1)
                    call(steps.scatter_z, s, plan, tiles, plan.M, z, grid)
                region = Region(image=image, at=at, top=top, bottom=bottom, first=f0, last=end_f)
                if epilogue.writes and not in_place:
                    call(steps.write, s, grid, size, region, arrays, epilogue.relu)
                if epilogue.sums and bottom == size.Ho:
                    call(steps.moments, z, grid, size, region, arrays.bias, arrays.sums)
                if epilogue.pools:
                    call(steps.pool, z, grid, size, region, arrays, epilogue.relu)


@jit(inline=True)
def filters_and_rows(plan, work, rows):
    """Return begin and end of the filters, and of the rows, that a thread works on.

    Winograd's engine splits the filters, direct convolution the rows.
    """
    size = plan.size
    if plan.m:
        f0, f1 = share(size.Fp, work.part, work.splits, size.lanes)
        return f0, f1, 0, size.Ho
    begin, end = part_of(-(-size.Ho // rows), work.part, work.splits)
    return 0, size.Fp, begin * rows, min(end * rows, size.Ho)


@jit(parallel=True)
def backward(numbers, steps, options, arrays, dw, db, parts, scratch):
    """Compute the gradients of a convolution and its epilogue.

    arrays  BackwardArrays, which include dx
    dw      (chunks, HH * WW * C * F), one gradient per chunk; at the end the first is their sum
    db      (splits, chunks, Fp), as every part of a chunk writes one; at the end db[0, 0] is the
            sum over the chunks
    parts   its ranges are the chunks, its splits those of backward_splits
    """
    for task in prange(parts.ranges * parts.splits):
        chunk = task // parts.splits
        part = task % parts.splits
        begin, end = part_of(parts.images, chunk, parts.ranges)
        work = Work(begin=begin, end=end, part=part, splits=parts.splits)
        s = scratch[get_thread_id()]
        call(steps.part, nested(numbers, Plan), steps, options, arrays, dw[chunk], db[part, chunk],
             work, s)
    for part in prange(-(-dw.shape[1] // SUM_PART)):
        add_rows(dw, part * SUM_PART, min((part + 1) * SUM_PART, dw.shape[1]))
    add_rows(db[0], 0, db.shape[2])


@step(Plan, BackwardSteps, BackwardOptions, BackwardArrays, FLOATS, FLOATS, Work, FLOATS)
def backward_part(plan, steps, options, arrays, dw, db, work, s):
    """Do one thread's work of backward(): some images, and dw and db of them, or a part of that.

    dw is summed in the engine's own layout, (m + 2)^2 / 9 times as large with Winograd's tiles, in
    the workspace, which a thread uses again for its next chunk. All parts sum up db, at negligible
    cost.
    """
    size = plan.size
    grid = plan.z_grid
    begin = work.begin
    images = even_blocks(work.end - begin, plan.images)
    # In a split chunk the even parts compute dw, and the odd ones dx.
    sides = 2 if work.splits > 1 and options.want_dx else 1
    want_dw = sides == 1 or work.part % 2 == 0
    want_dx = options.want_dx and (sides == 1 or work.part % 2 == 1)
    c0, end_c = share(size.Cp, work.part // sides, work.splits // sides, size.lanes)
    c1 = min(end_c, size.C)
    clear(db, 0, len(db), size.lanes)
    for first in range(begin, work.end, images):
        last = min(first + images, work.end)
        for top in range(0, size.Ho, plan.strip):
            bottom = min(top + plan.strip, size.Ho)
            at = plan.z_at - top * grid.row
            x_at = top * plan.x_grid.row
            down = rows_of_tiles(top, bottom, plan)
            for image in range(first, last):
                if want_dw and top == 0:
                    call(steps.pack, arrays.x, image, size, s, 0, plan.x_grid)
                if want_dw and plan.m:
                    tiles = Tiles(image=image - first, down=down, at=x_at, first=c0, last=c1)
                    call(steps.gather_x, s, plan, tiles, plan.x_grid, plan.V)
                region = Region(image=image, at=at, top=top, bottom=bottom, first=0, last=size.F)
                if len(arrays.argmax):
                    call(steps.unpool, arrays, size, region, s, grid, db)
                else:
                    call(steps.mask, arrays, options.relu, size, region, s, grid, db)
                if plan.m:
                    k = image - first
                    tiles = Tiles(image=k, down=down, at=plan.z_at, first=0, last=size.F)
                    call(steps.gather_dz, s, plan, tiles, grid, plan.M)
            if want_dx and top == 0 and not plan.m:
                clear(s, plan.dx_at, plan.dx_grid.size, size.lanes)
            adds = first > begin or top > 0
            if plan.m:
                strip = Strip(images=last - first, top=top, bottom=bottom, first=c0, last=c1)
                call(steps.multiply, plan, strip, arrays.weights, s, adds, want_dw, want_dx)
            else:
                call(steps.multiply, plan, arrays.weights, top, bottom, s, adds, want_dx)
            if want_dx:
                for image in range(first, last):
                    if plan.m:
                        if top == 0:
                            clear(s, plan.dx_at, plan.dx_grid.size, size.lanes)
                        dx_at = plan.dx_at + x_at
                        tiles = Tiles(image=image - first, down=down, at=dx_at, first=c0, last=c1)
                        call(steps.scatter_dx, s, plan, tiles, plan.V, s, plan.dx_grid)
                    if bottom == size.Ho:
                        region = Region(image=image, at=plan.dx_at, top=0, bottom=size.Ho,
                                        first=c0, last=c1)
                        call(steps.unpack, s, plan.dx_grid, size, region, arrays.dx)
    if want_dw:
        call(steps.finish, s, plan, dw, c0, c1)

"""Vectors in Numba code: the words of kernels. Only this module and blocks.py know LLVM.

A Block is n vectors of floats, a value like any number: it lives in registers, and + - * and
comparisons apply to all of it at once, with another Block of the same size or with a number. A flat
array `a` gives the dtype of the floats.

    load(a, at, n)                  n contiguous vectors from a[at] on
    load_spaced(a, at, step, n)     n vectors, vector i from a[at + i * step] on
    load_rows(a, at, row, n, columns)
                                    n vectors in rows of `columns`: row i // columns begins at
                                    a[at + row * (i // columns)]
    load_turned(a, at, row)         a square: vector i is the numbers a[at + i], a[at + row + i],
                                    a[at + 2 row + i], ...
    splat(a, at, step, n)           n vectors, vector i is the number a[at + i * step] in every lane
    zeros(a, n)                     n vectors of zeros
    store(a, at, block)             the inverse of load
    store_spaced(a, at, step, block)
    store_rows(a, at, row, block, columns)
                                    the inverses of load_spaced and load_rows
    stream(a, at, block)            store past the caches, to an aligned address
    drain()                         wait for what was streamed
    load_head(a, at, live)          one vector whose first `live` lanes are read; the others are 0
    store_head(a, at, block, live)  the first `live` lanes of one vector
    load_bytes, store_bytes         one vector from and to an array of uint8
    fma(x, y, z)                    x * y + z, rounded once
    outer_fma(column, row, tile)    tile[i, j] + column[i] * row[j]: the inner step of all products
    select(mask, x, y)              x where the mask (x > y, x <= y, p | q) holds, else y
    load_tile(a, at, row, step, n)  n Blocks of n vectors, a tuple: vector j of row i from
                                    a[at + i * row + j * step] on
    store_tile(a, at, row, step, columns)
                                    the inverse, of a tuple of columns; add_tile adds to the array
    transposed(rows)                a tuple of k Blocks of n vectors as a tuple of n Blocks of k
    vector(block, i)                vector i alone
    repeated(x, n)                  one vector n times
    lane_sum(x)                     the sum of the lanes of one vector, as a number

`n`, `columns` and `i` are compile-time constants: a literal, a module constant, or an int that the
factory of a kernel closes over. A Block that fits into the registers stays there: LLVM splits it
into its vectors.

Addresses are checked only with NUMBA_BOUNDSCHECK=1 or NUMBA_DISABLE_JIT=1: IndexError.
"""
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .arithmetic import (  # noqa: F401
    fma,
    lane_sum,
    outer_fma,
    repeated,
    select,
    transposed,
    turned,
    vector,
)
from .blocks import Block, Emitter, pack, repeat, unpack, vector_type
from .jit import DISABLED
from .machine import VECTOR_BYTES, X86


def load_block(block, columns=1, row=None):
    """Return the generator of the code that loads a Block."""
    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        return pack(builder, block,
                    [builder.load(emit.as_vector(p, block), align=block.dtype.bitwidth // 8)
                                     for p in emit.pointers(block, block.n, columns, row)])
    return generate


def store_block(block, k, columns=1, row=None):
    """Return the generator of the code that stores a Block, which is argument k."""
    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        for x, p in zip(unpack(builder, args[k], block),
                        emit.pointers(block, block.n, columns, row), strict=True):
            builder.store(x, emit.as_vector(p, block), align=block.dtype.bitwidth // 8)
        return context.get_dummy_value()
    return generate


@intrinsic(prefer_literal=True)
def load(typing, a, at, n):
    """Return n contiguous vectors."""
    block = Block(a.dtype, n.literal_value)
    return block(a, at, n), load_block(block)


@intrinsic(prefer_literal=True)
def load_spaced(typing, a, at, step, n):
    """Return n vectors, step numbers apart."""
    block = Block(a.dtype, n.literal_value)
    return block(a, at, step, n), load_block(block, row=2)


@intrinsic(prefer_literal=True)
def load_rows(typing, a, at, row, n, columns):
    """Return n vectors from rows of `columns` vectors, row numbers apart."""
    block = Block(a.dtype, n.literal_value)
    return block(a, at, row, n, columns), load_block(block, columns.literal_value, row=2)


@intrinsic
def load_turned(typing, a, at, row):
    """Return the columns of a square of vectors whose rows are `row` numbers apart."""
    block = Block(a.dtype, Block(a.dtype, 1).lanes)

    def generate(context, builder, sig, args):
        rows = unpack(builder, load_block(block, row=2)(context, builder, sig, args), block)
        return pack(builder, block, turned(builder, rows))
    return block(a, at, row), generate


@intrinsic
def store(typing, a, at, block):
    """Write contiguous vectors."""
    return types.void(a, at, block), store_block(block, 2)


@intrinsic
def stream(typing, a, at, block):
    """Write vectors past the caches, to an aligned address; drain() must follow."""
    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        once = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        for x, p in zip(unpack(builder, args[2], block), emit.pointers(block, block.n),
                        strict=True):
            builder.store(x, emit.as_vector(p, block),
                          align=VECTOR_BYTES).set_metadata("nontemporal", once)
        return context.get_dummy_value()
    return types.void(a, at, block), generate


@intrinsic
def drain(typing):
    """Wait until everything that this thread has streamed is in memory."""
    def generate(context, builder, sig, args):
        if X86:
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function,
                                                        "llvm.x86.sse.sfence"), [])
        return context.get_dummy_value()
    return types.void(), generate


@intrinsic
def store_spaced(typing, a, at, step, block):
    """Write vectors step numbers apart."""
    return types.void(a, at, step, block), store_block(block, 3, row=2)


@intrinsic(prefer_literal=True)
def store_rows(typing, a, at, row, block, columns):
    """Write vectors to rows of `columns` vectors, row numbers apart."""
    return types.void(a, at, row, block, columns), store_block(block, 3, columns.literal_value,
                                                               row=2)


@intrinsic(prefer_literal=True)
def load_tile(typing, a, at, row, step, n):
    """Return n rows of n vectors."""
    block = Block(a.dtype, n.literal_value)
    rows = types.UniTuple(block, block.n)

    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        vectors = [builder.load(emit.as_vector(p, block), align=block.dtype.bitwidth // 8)
                   for p in emit.pointers(block, block.n ** 2, block.n, row=2, step=3)]
        return context.make_tuple(builder, rows, [pack(builder, block, vectors[i:i + block.n])
                                                  for i in range(0, block.n ** 2, block.n)])
    return rows(a, at, row, step, n), generate


def write_tile(columns, add):
    """Return the generator of store_tile and add_tile."""
    block = columns.dtype
    width = columns.count

    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        grid = [unpack(builder, builder.extract_value(args[4], j), block) for j in range(width)]
        vectors = [grid[j][i] for i in range(block.n) for j in range(width)]
        pointers = emit.pointers(block, len(vectors), width, row=2, step=3)
        for x, p in zip(vectors, pointers, strict=True):
            pointer = emit.as_vector(p, block)
            align = block.dtype.bitwidth // 8
            value = builder.fadd(builder.load(pointer, align=align), x) if add else x
            builder.store(value, pointer, align=align)
        return context.get_dummy_value()
    return generate


@intrinsic
def store_tile(typing, a, at, row, step, columns):
    """Write a tuple of columns."""
    return types.void(a, at, row, step, columns), write_tile(columns, add=False)


@intrinsic
def add_tile(typing, a, at, row, step, columns):
    """Add a tuple of columns to the array."""
    return types.void(a, at, row, step, columns), write_tile(columns, add=True)


@intrinsic(prefer_literal=True)
def splat(typing, a, at, step, n):
    """Return n numbers, step apart, as vectors with one number in all lanes."""
    block = Block(a.dtype, n.literal_value)

    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        one = ir.Constant(ir.IntType(64), 1)
        return pack(builder, block, [repeat(builder, builder.load(p), block.lanes)
                                     for p in emit.pointers(block, block.n, row=2, width=one)])
    return block(a, at, step, n), generate


@intrinsic(prefer_literal=True)
def zeros(typing, a, n):
    """Return n vectors of zeros."""
    block = Block(a.dtype, n.literal_value)

    def generate(context, builder, sig, args):
        return ir.Constant(ir.ArrayType(vector_type(block), block.n), None)
    return block(a, n), generate


def live_lanes(emit, block, k):
    """Emit the mask of the first lanes, whose number is argument k."""
    wide = ir.VectorType(ir.IntType(32), block.lanes)
    count = repeat(emit.builder, emit.builder.trunc(emit.integer(k), ir.IntType(32)), block.lanes)
    return emit.builder.icmp_signed("<", ir.Constant(wide, list(range(block.lanes))), count)


def masked(emit, name, result, arguments, block):
    """Emit LLVM's masked load or store, which accesses no memory of lanes that are off."""
    vector = vector_type(block)
    kind = f"v{block.lanes}f{block.dtype.bitwidth}"
    function = cgutils.get_or_insert_function(
        emit.builder.module, ir.FunctionType(result, [argument.type for argument in arguments]),
        f"llvm.masked.{name}.{kind}.p0{kind}" if not vector.as_pointer().is_opaque
                                              else f"llvm.masked.{name}.{kind}.p0")
    return emit.builder.call(function, arguments)


@intrinsic
def load_head(typing, a, at, live):
    """Return one vector whose first lanes are read; the others are 0."""
    block = Block(a.dtype, 1)

    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        pointer = emit.as_vector(emit.pointers(block, 1, width=emit.integer(2))[0], block)
        align = ir.Constant(ir.IntType(32), block.dtype.bitwidth // 8)
        zero = ir.Constant(vector_type(block), None)
        return pack(builder, block, [masked(emit, "load", vector_type(block),
                                            [pointer, align, live_lanes(emit, block, 2), zero],
                                            block)])
    return block(a, at, live), generate


@intrinsic
def store_head(typing, a, at, block, live):
    """Write the first lanes of one vector."""
    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        pointer = emit.as_vector(emit.pointers(block, 1, width=emit.integer(3))[0], block)
        align = ir.Constant(ir.IntType(32), block.dtype.bitwidth // 8)
        vector, = unpack(builder, args[2], block)
        masked(emit, "store", ir.VoidType(), [vector, pointer, align, live_lanes(emit, block, 3)],
               block)
        return context.get_dummy_value()
    return types.void(a, at, block, live), generate


@intrinsic
def load_bytes(typing, bytes_, at, like):
    """Return one vector of the numbers in an array of uint8, as floats of the dtype of `like`."""
    block = Block(like.dtype, 1)

    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        bytes_type = ir.VectorType(ir.IntType(8), block.lanes)
        pointer = builder.bitcast(emit.pointers(block, 1)[0], bytes_type.as_pointer())
        return pack(builder, block,
                    [builder.uitofp(builder.load(pointer, align=1), vector_type(block))])
    return block(bytes_, at, like), generate


@intrinsic
def store_bytes(typing, bytes_, at, block):
    """Write one vector of whole numbers from 0 to 255 to an array of uint8."""
    def generate(context, builder, sig, args):
        emit = Emitter(context, builder, sig, args)
        vector, = unpack(builder, args[2], block)
        whole = builder.fptoui(vector, ir.VectorType(ir.IntType(8), block.lanes))
        builder.store(whole, builder.bitcast(emit.pointers(block, 1)[0], whole.type.as_pointer()),
                      align=1)
        return context.get_dummy_value()
    return types.void(bytes_, at, block), generate


if DISABLED:  # kernels run as Python functions
    from .simd_python import (  # noqa: F401, I001
        add_tile, drain, fma, lane_sum, load, load_bytes, load_head, load_rows, load_spaced,
        load_tile, load_turned, outer_fma, repeated, select, splat, store, store_bytes, store_head,
        store_rows, store_spaced, store_tile, stream, transposed, vector, zeros)

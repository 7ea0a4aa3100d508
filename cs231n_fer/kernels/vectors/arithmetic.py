"""Words that only compute with Blocks; simd.py describes them with those that access memory."""
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .blocks import Block, as_vectors, pack, unpack


def call_fma(builder, x, y, z):
    """Emit x * y + z of vectors, rounded once."""
    kind = "f32" if isinstance(x.type.element, ir.FloatType) else "f64"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(x.type, [x.type] * 3),
                                              f"llvm.fma.v{x.type.count}{kind}")
    return builder.call(function, [x, y, z])


def turned(builder, rows):
    """Emit the columns of a square of vectors: swap halves, then quarters, down to single lanes."""
    rows = list(rows)
    lanes = len(rows)
    distance = lanes // 2
    while distance:
        stay = [i if not i & distance else lanes + i - distance for i in range(lanes)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), lanes), chosen)
                 for chosen in (stay, [i + distance for i in stay])]
        for i in range(lanes):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                rows[i] = builder.shuffle_vector(*pair, masks[0])
                rows[i + distance] = builder.shuffle_vector(*pair, masks[1])
        distance //= 2
    return rows


@intrinsic
def fma(typing, x, y, z):
    """Return x * y + z; y may be a number."""
    def generate(context, builder, sig, args):
        sides = [as_vectors(context, builder, value, kind, x)
                 for value, kind in zip(args, sig.args, strict=True)]
        return pack(builder, x, [call_fma(builder, *terms) for terms in zip(*sides, strict=True)])
    return x(x, y, z), generate


@intrinsic
def outer_fma(typing, column, row, tile):
    """Return tile + the outer product of a column and a row."""
    def generate(context, builder, sig, args):
        left, right, sums = (unpack(builder, value, kind)
                             for value, kind in zip(args, sig.args, strict=True))
        return pack(builder, tile, [call_fma(builder, left[i], right[j], sums[i * row.n + j])
                                    for i in range(column.n) for j in range(row.n)])
    return tile(column, row, tile), generate


@intrinsic
def select(typing, mask, x, y):
    """Return x where the mask holds, else y; one of the two may be a number."""
    block = x if isinstance(x, Block) else y

    def generate(context, builder, sig, args):
        this, other = (as_vectors(context, builder, args[k], sig.args[k], block) for k in (1, 2))
        terms = zip(unpack(builder, args[0], mask), this, other, strict=True)
        return pack(builder, block, [builder.select(*term) for term in terms])
    return block(mask, x, y), generate


@intrinsic
def transposed(typing, rows):
    """Return the columns of a tuple of Blocks."""
    column = Block(rows.dtype.dtype, rows.count)
    columns = types.UniTuple(column, rows.dtype.n)

    def generate(context, builder, sig, args):
        grid = [unpack(builder, builder.extract_value(args[0], i), rows.dtype)
                for i in range(rows.count)]
        return context.make_tuple(builder, columns,
                                  [pack(builder, column, c) for c in zip(*grid, strict=True)])
    return columns(rows), generate


@intrinsic(prefer_literal=True)
def vector(typing, block, i):
    """Return vector i of a Block."""
    one = Block(block.dtype, 1)

    def generate(context, builder, sig, args):
        return pack(builder, one, [builder.extract_value(args[0], i.literal_value)])
    return one(block, i), generate


@intrinsic(prefer_literal=True)
def repeated(typing, x, n):
    """Return a Block of n times the same vector."""
    block = Block(x.dtype, n.literal_value)

    def generate(context, builder, sig, args):
        return pack(builder, block, unpack(builder, args[0], x) * block.n)
    return block(x, n), generate


@intrinsic
def lane_sum(typing, x):
    """Return the sum of the lanes of one vector, halving it until one is left.

    The order is the same on every machine of the same vector width.
    """
    def generate(context, builder, sig, args):
        part, = unpack(builder, args[0], x)
        half = x.lanes // 2
        while half:
            pick = [ir.Constant(ir.VectorType(ir.IntType(32), half),
                                list(range(first, first + half)))
                    for first in (0, half)]
            part = builder.fadd(*(builder.shuffle_vector(part, part, lanes) for lanes in pick))
            half //= 2
        return builder.extract_element(part, ir.Constant(ir.IntType(32), 0))
    return x.dtype(x), generate

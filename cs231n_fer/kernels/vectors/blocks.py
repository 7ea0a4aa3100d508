"""The type of a Block, vectors as a value in Numba code, its operators, and what generators of its code share.

simd.py has the words that kernels are written with; here is what they are made of: llvmlite and Numba's API of types.
"""
import operator

import numba
from llvmlite import ir
from numba import types
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, models, register_model

from .machine import VECTOR_BYTES

# Not nnan, ninf: NaN and infinity keep their meaning.
FLAGS = ("nsz", "arcp", "contract", "afn", "reassoc")


class Block(types.Type):
    """Numba's type of n vectors of a float type."""

    def __init__(self, dtype, n):
        self.dtype, self.n, self.lanes = dtype, n, VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Block({dtype} x {self.lanes}, {n})")

    @property
    def key(self):
        """What tells two types apart."""
        return self.dtype, self.lanes, self.n


class Mask(Block):
    """Numba's type of the result of comparing Blocks: one bit for each float."""

    def __init__(self, dtype, n):
        super().__init__(dtype, n)
        self.name = f"Mask({dtype} x {self.lanes}, {n})"

    @property
    def key(self):
        """What tells two types apart, from Blocks as well."""
        return "mask", self.dtype, self.lanes, self.n


def vector_type(block):
    """LLVM's type of one vector of a Block or Mask."""
    element = ir.IntType(1) if isinstance(block, Mask) else ir.FloatType() if block.dtype.bitwidth == 32 \
        else ir.DoubleType()
    return ir.VectorType(element, block.lanes)


@register_model(Block)
@register_model(Mask)
class BlockModel(models.PrimitiveModel):
    """A Block is LLVM's array of vectors, which its pass SROA splits into registers."""

    def __init__(self, manager, block):
        super().__init__(manager, block, ir.ArrayType(vector_type(block), block.n))


def unpack(builder, value, block):
    """List the vectors of a Block's LLVM value."""
    return [builder.extract_value(value, i) for i in range(block.n)]


def pack(builder, block, vectors):
    """Put vectors together to the LLVM value of a Block."""
    value = ir.Constant(ir.ArrayType(vector_type(block), block.n), ir.Undefined)
    for i, each in enumerate(vectors):
        value = builder.insert_value(value, each, i)
    return value


def repeat(builder, scalar, lanes):
    """Copy a number to all lanes of a vector."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def align_frame(function):
    """Let a function's vectors that find no register lie on the stack where a vector may lie.

    Else LLVM puts them across two cache lines, or two pages: a step of the final net took 1.025 times as long, and
    one more argument of a kernel made its second block 6 % slower.
    """
    function.attributes.add("nounwind")  # llvmlite writes alignstack beside a word of this set only
    function.attributes.alignstack = VECTOR_BYTES


class Emitter:
    """What the code generators below share: builder, and addresses in a flat array."""

    def __init__(self, context, builder, sig, args):
        self.context, self.builder, self.sig, self.args = context, builder, sig, args
        array = context.make_array(sig.args[0])(context, builder, args[0])
        self.array, self.count = array.data, array.nitems
        align_frame(builder.function)

    def integer(self, k):
        """Argument k as a 64-bit integer."""
        return self.context.cast(self.builder, self.args[k], self.sig.args[k], types.intp)

    def pointers(self, block, n, columns=1, row=None, step=None, width=None):
        """Addresses at + i // columns * row + i % columns * step for i < n, each as wide as a number.

        row, step   numbers of the arguments that hold these distances; a step of None is one vector of the block
        width       how many numbers are read or written at each, if it isn't a vector of the block; checked where
                    NUMBA_BOUNDSCHECK=1
        """
        found = self.addresses(block.lanes, n, columns, row, step)
        if numba.config.BOUNDSCHECK:
            for each in found:
                self.check_bounds(each, ir.Constant(ir.IntType(64), block.lanes) if width is None else width)
        return found

    def check_bounds(self, pointer, width):
        """Raise IndexError where `width` numbers from an address on are not all in the array."""
        builder = self.builder
        size = ir.Constant(ir.IntType(64), self.context.get_abi_sizeof(self.array.type.pointee))
        begin, place = (builder.ptrtoint(each, size.type) for each in (self.array, pointer))
        end = builder.add(begin, builder.mul(self.count, size))
        outside = builder.or_(builder.icmp_unsigned("<", place, begin), builder.icmp_unsigned(
            ">", builder.add(place, builder.mul(width, size)), end))
        with builder.if_then(outside, likely=False):
            self.context.call_conv.return_user_exc(builder, IndexError, ("a vector that is not all in its array",))

    def addresses(self, lanes, n, columns, row, step):
        """The addresses of pointers()."""
        start = self.builder.gep(self.array, [self.integer(1)])
        if columns == 1:
            return self.spaced(start, n, lanes if row is None else self.integer(row))
        step, found = lanes if step is None else self.integer(step), []
        for i in range(0, n, columns):
            found += self.spaced(start, min(columns, n - i), step)
            if i + columns < n:
                start = self.opaque(self.builder.gep(start, [self.integer(row)]))
        return found

    def spaced(self, start, n, step):
        """Addresses start + i * step for i < n, four of them from each of as many registers as needed.

        A processor adds step, 2 step or another register to an address for nothing, but LLVM would keep one register
        for each address, which no processor has: 12 rows at distances known at run time then cost a third of the
        speed (65 instead of 112 GFLOP/s). Hence `opaque`: the compiler can't see how these addresses hang together.
        """
        builder, found = self.builder, []
        if isinstance(step, int):
            return [builder.gep(start, [ir.Constant(ir.IntType(64), i * step)]) for i in range(n)]
        times = [builder.mul(step, ir.Constant(step.type, k)) for k in (1, 2, 3, 4)]
        times[2] = self.opaque(times[2]) if n > 3 else times[2]
        for i in range(0, n, 4):
            start = self.opaque(start if i == 0 else builder.gep(start, [times[3]]))
            found += [start, *(builder.gep(start, [times[k]]) for k in range(min(3, n - i - 1)))]
        return found

    def opaque(self, value):
        """The same value, as the result of no instructions at all that the compiler can't look into."""
        return self.builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)

    def as_vector(self, pointer, block):
        """The same address as one of a vector, which may be unaligned."""
        return self.builder.bitcast(pointer, vector_type(block).as_pointer())


def as_vectors(context, builder, value, kind, block):
    """The vectors of an operand: a Block's own, or a number in all lanes."""
    if isinstance(kind, Block):
        return unpack(builder, value, kind)
    return [repeat(builder, context.cast(builder, value, kind, block.dtype), block.lanes)] * block.n


def operation(symbols, result, emit, operand=Block):
    """Teach Numba an operator between two Blocks, or a Block and a number; result(block) is the type it returns."""
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            block = next((each for each in args if isinstance(each, Block)), None)
            others = [each for each in args if each != block]
            if block and isinstance(block, operand) and all(isinstance(each, types.Number) for each in others):
                return signature(result(block), *args)

    def lower(context, builder, sig, args):
        block = next(each for each in sig.args if isinstance(each, Block))
        sides = [as_vectors(context, builder, value, kind, block) for value, kind in zip(args, sig.args, strict=True)]
        return pack(builder, sig.return_type, [emit(builder, *each) for each in zip(*sides, strict=True)])

    for each in symbols:
        infer_global(each)(Template)
        for kinds in ((operand, operand), (operand, types.Number), (types.Number, operand)):
            lower_builtin(each, *kinds)(lower)


def comparison(sign, ordered=True):
    """Return the emitter of a comparison, which is false (or, not ordered, true) where a side is NaN."""
    return lambda builder, x, y: (builder.fcmp_ordered if ordered else builder.fcmp_unordered)(sign, x, y)


operation((operator.add, operator.iadd), lambda block: block, lambda builder, x, y: builder.fadd(x, y, flags=FLAGS))
operation((operator.sub, operator.isub), lambda block: block, lambda builder, x, y: builder.fsub(x, y, flags=FLAGS))
operation((operator.mul, operator.imul), lambda block: block, lambda builder, x, y: builder.fmul(x, y, flags=FLAGS))
operation((operator.truediv,), lambda block: block, lambda builder, x, y: builder.fdiv(x, y))
operation((operator.gt,), lambda block: Mask(block.dtype, block.n), comparison(">"))
operation((operator.lt,), lambda block: Mask(block.dtype, block.n), comparison("<"))
operation((operator.eq,), lambda block: Mask(block.dtype, block.n), comparison("=="))
operation((operator.ne,), lambda block: Mask(block.dtype, block.n), comparison("!=", ordered=False))
operation((operator.or_,), lambda mask: mask, lambda builder, x, y: builder.or_(x, y), operand=Mask)

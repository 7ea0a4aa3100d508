"""The type of a Block (vectors as a value in Numba code), its operators, and code generation.

simd.py defines the words that kernels are written with; here is what they are made of: llvmlite
and Numba's API of types.
"""
import operator

import numba
from llvmlite import ir
from numba import types
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, models, register_model

from .machine import VECTOR_BYTES

# Without nnan and ninf: NaN and infinity keep their meaning.
FLAGS = ("nsz", "arcp", "contract", "afn", "reassoc")


class Block(types.Type):
    """Numba's type of n vectors of a float type."""

    def __init__(self, dtype, n):
        self.dtype = dtype
        self.n = n
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Block({dtype} x {self.lanes}, {n})")

    @property
    def key(self):
        """Identity of the type."""
        return self.dtype, self.lanes, self.n


class Mask(Block):
    """Numba's type of the result of comparing Blocks: one bit for each float."""

    def __init__(self, dtype, n):
        super().__init__(dtype, n)
        self.name = f"Mask({dtype} x {self.lanes}, {n})"

    @property
    def key(self):
        """Identity of the type, which differs from that of a Block."""
        return "mask", self.dtype, self.lanes, self.n


def vector_type(block):
    """Return LLVM's type of one vector of a Block or Mask."""
    real = ir.FloatType() if block.dtype.bitwidth == 32 else ir.DoubleType()
    element = ir.IntType(1) if isinstance(block, Mask) else real
    return ir.VectorType(element, block.lanes)


@register_model(Block)
@register_model(Mask)
class BlockModel(models.PrimitiveModel):
    """Numba's data model: a Block is LLVM's array of vectors, which SROA splits into registers."""

    def __init__(self, manager, block):
        super().__init__(manager, block, ir.ArrayType(vector_type(block), block.n))


def unpack(builder, value, block):
    """Return the vectors of a Block's LLVM value."""
    return [builder.extract_value(value, i) for i in range(block.n)]


def pack(builder, block, vectors):
    """Return the LLVM value of a Block of these vectors."""
    value = ir.Constant(ir.ArrayType(vector_type(block), block.n), ir.Undefined)
    for i, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, i)
    return value


def repeat(builder, scalar, lanes):
    """Emit a vector with a number in all lanes."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined,
                                  ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def align_frame(function):
    """Align a function's stack frame to vectors, for those that are spilled.

    Otherwise LLVM puts them across two cache lines, or two pages: a step of the final net took
    1.025 times as long, and one more argument of a kernel made its second block 6 % slower.
    """
    function.attributes.add("nounwind")  # llvmlite writes alignstack only with another attribute
    function.attributes.alignstack = VECTOR_BYTES


class Emitter:
    """The builder, and addresses in a flat array, for the code generators of simd.py."""

    def __init__(self, context, builder, sig, args):
        self.context = context
        self.builder = builder
        self.sig = sig
        self.args = args
        array = context.make_array(sig.args[0])(context, builder, args[0])
        self.array = array.data
        self.count = array.nitems
        align_frame(builder.function)

    def integer(self, k):
        """Emit argument k as a 64-bit integer."""
        return self.context.cast(self.builder, self.args[k], self.sig.args[k], types.intp)

    def pointers(self, block, n, columns=1, row=None, step=None, width=None):
        """Emit the addresses at + i // columns * row + i % columns * step for i < n.

        row, step   which arguments hold these strides; without a step it is one vector of the block
        width       how many numbers are accessed at an address, by default a vector of the block;
                    checked where NUMBA_BOUNDSCHECK=1
        """
        found = self.addresses(block.lanes, n, columns, row, step)
        if numba.config.BOUNDSCHECK:
            checked = ir.Constant(ir.IntType(64), block.lanes) if width is None else width
            for pointer in found:
                self.check_bounds(pointer, checked)
        return found

    def check_bounds(self, pointer, width):
        """Emit an IndexError where `width` numbers from an address on are not all in the array."""
        builder = self.builder
        size = ir.Constant(ir.IntType(64), self.context.get_abi_sizeof(self.array.type.pointee))
        begin, place = (builder.ptrtoint(p, size.type) for p in (self.array, pointer))
        end = builder.add(begin, builder.mul(self.count, size))
        outside = builder.or_(builder.icmp_unsigned("<", place, begin), builder.icmp_unsigned(
            ">", builder.add(place, builder.mul(width, size)), end))
        with builder.if_then(outside, likely=False):
            self.context.call_conv.return_user_exc(builder, IndexError,
                                                   ("a vector that is not all in its array",))

    def addresses(self, lanes, n, columns, row, step):
        """Emit the addresses of pointers(), unchecked."""
        start = self.builder.gep(self.array, [self.integer(1)])
        if columns == 1:
            return self.spaced(start, n, lanes if row is None else self.integer(row))
        step = lanes if step is None else self.integer(step)
        found = []
        for i in range(0, n, columns):
            found += self.spaced(start, min(columns, n - i), step)
            if i + columns < n:
                start = self.opaque(self.builder.gep(start, [self.integer(row)]))
        return found

    def spaced(self, start, n, step):
        """Emit the addresses start + i * step for i < n, four of them from each register.

        A processor adds step, 2 step or another register to an address at no cost, but LLVM would
        keep one register per address, and no processor has that many: 12 rows at strides known at
        run time then cost a third of the speed (65 instead of 112 GFLOP/s). Hence `opaque`, which
        hides from the compiler how the addresses are related.
        """
        builder = self.builder
        found = []
        if isinstance(step, int):
            return [builder.gep(start, [ir.Constant(ir.IntType(64), i * step)]) for i in range(n)]
        times = [builder.mul(step, ir.Constant(step.type, k)) for k in (1, 2, 3, 4)]
        times[2] = self.opaque(times[2]) if n > 3 else times[2]
        for i in range(0, n, 4):
            start = self.opaque(start if i == 0 else builder.gep(start, [times[3]]))
            found += [start, *(builder.gep(start, [times[k]]) for k in range(min(3, n - i - 1)))]
        return found

    def opaque(self, value):
        """Emit the same value as the result of empty assembly, which hides its origin from LLVM."""
        return self.builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value],
                                False)

    def as_vector(self, pointer, block):
        """Emit the same address as that of a vector, which may be unaligned."""
        return self.builder.bitcast(pointer, vector_type(block).as_pointer())


def as_vectors(context, builder, value, kind, block):
    """Return the vectors of an operand: those of a Block, or vectors with a number in all lanes."""
    if isinstance(kind, Block):
        return unpack(builder, value, kind)
    return [repeat(builder, context.cast(builder, value, kind, block.dtype), block.lanes)] * block.n


def operation(symbols, result, emit, operand=Block):
    """Register an operator between two Blocks, or a Block and a number, with Numba.

    result    function from the type of the operand to the type of the result
    emit      function (builder, x, y) that emits the operation on two vectors
    operand   type of the operands
    """
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            block = next((kind for kind in args if isinstance(kind, Block)), None)
            others = [kind for kind in args if kind != block]
            numbers = all(isinstance(other, types.Number) for other in others)
            if block and isinstance(block, operand) and numbers:
                return signature(result(block), *args)

    def lower(context, builder, sig, args):
        block = next(kind for kind in sig.args if isinstance(kind, Block))
        sides = [as_vectors(context, builder, value, kind, block)
                 for value, kind in zip(args, sig.args, strict=True)]
        return pack(builder, sig.return_type,
                    [emit(builder, x, y) for x, y in zip(*sides, strict=True)])

    for symbol in symbols:
        infer_global(symbol)(Template)
        for kinds in ((operand, operand), (operand, types.Number), (types.Number, operand)):
            lower_builtin(symbol, *kinds)(lower)


def comparison(sign, ordered=True):
    """Return the emitter of a comparison: false (or, not ordered, true) where a side is NaN."""
    if ordered:
        return lambda builder, x, y: builder.fcmp_ordered(sign, x, y)
    return lambda builder, x, y: builder.fcmp_unordered(sign, x, y)


operation((operator.add, operator.iadd), lambda block: block,
          lambda builder, x, y: builder.fadd(x, y, flags=FLAGS))
operation((operator.sub, operator.isub), lambda block: block,
          lambda builder, x, y: builder.fsub(x, y, flags=FLAGS))
operation((operator.mul, operator.imul), lambda block: block,
          lambda builder, x, y: builder.fmul(x, y, flags=FLAGS))
operation((operator.truediv,), lambda block: block, lambda builder, x, y: builder.fdiv(x, y))
operation((operator.gt,), lambda block: Mask(block.dtype, block.n), comparison(">"))
operation((operator.lt,), lambda block: Mask(block.dtype, block.n), comparison("<"))
operation((operator.le,), lambda block: Mask(block.dtype, block.n), comparison("<="))
operation((operator.eq,), lambda block: Mask(block.dtype, block.n), comparison("=="))
operation((operator.ne,), lambda block: Mask(block.dtype, block.n), comparison("!=", ordered=False))
operation((operator.or_,), lambda mask: mask, lambda builder, x, y: builder.or_(x, y), operand=Mask)

"""Steps, functions that parallel kernels call by their address, and the records that both take.

Numba copies what a function calls into it and optimizes all of it again, at every level of calls:
written as plain calls, the kernels of a training step took three times as long to compile. A step
is compiled separately, once for all shapes; a kernel takes the addresses of its steps, in a named
tuple of ints.

A record is a named tuple of numbers (INT, BOOL), of flat arrays (FLOATS, DOUBLES, BYTES), or of
other records: `plan.size.Ho`. Kernels and steps take records instead of ten arguments and more.
Numba takes no nested ones into its parallel loops: kernels take `flat(plan)`, an array, and
restore the plan with `nested(numbers, Plan)`, which is for records of ints only. Nor does Numba
see that a parallel loop writes on an array of a record, other than by call(): it removes such a
loop.
"""
import ctypes
from functools import cache
from itertools import count
from typing import Annotated, get_type_hints

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from .jit import DISABLED, NO_WRAPPERS, OPTIONS, on_disk
from .machine import X86

# The kinds of a step's arguments: annotations of its records, and arguments of step().
FLOATS = Annotated[np.ndarray, "flat, of the dtype of the kernel"]
DOUBLES = Annotated[np.ndarray, "flat, of float64"]
BYTES = Annotated[np.ndarray, "flat, of uint8"]
INT = int
BOOL = bool
# Bits of the control register MXCSR: flush results to zero (FTZ), read inputs as zero (DAZ).
SUBNORMALS_ARE_ZERO = 0x8040


class Step:
    """A function, and the kinds of its arguments; see step()."""

    def __init__(self, function, kinds):
        self.function = function
        self.kinds = kinds
        self.addresses = {}
        self.__doc__ = function.__doc__
        self.compiled = function
        if not DISABLED:
            self.compiled = on_disk(numba.njit(**OPTIONS, **NO_WRAPPERS)(function), function)

    def address(self, dtype):
        """Return the address of the code for float arrays of a NumPy dtype.

        The code is compiled or loaded from disk. With NUMBA_DISABLE_JIT=1 it is the function
        itself.
        """
        if DISABLED:
            return self.function
        if dtype not in self.addresses:
            signature = tuple(numba_type(kind, dtype) for kind in self.kinds)
            self.compiled.compile(signature)
            done = self.compiled.overloads[signature]
            self.addresses[dtype] = done.library.get_pointer_to_function(done.fndesc.llvm_func_name)
        return self.addresses[dtype]


def step(*kinds):
    """Declare a step by the kinds of its arguments; the kind of a record is its class."""
    return lambda function: Step(function, kinds)


def numba_type(kind, dtype=None):
    """Return Numba's type of a kind of argument; dtype is that of FLOATS."""
    if kind == FLOATS:
        return types.Array(numba.from_dtype(dtype), 1, "C")
    simple = {BYTES: types.Array(types.uint8, 1, "C"), DOUBLES: types.Array(types.float64, 1, "C"),
              INT: types.int64, BOOL: types.boolean}
    if kind in simple:
        return simple[kind]
    hints = get_type_hints(kind, include_extras=True)
    return types.BaseTuple.from_types([numba_type(hint, dtype) for hint in hints.values()], kind)


@cache
def flat(plan):
    """Return the ints of a nested tuple, in order, as an array.

    A tuple of 50 ints would cost a call 1 us.
    """
    def ints(plan):
        return sum((ints(field) if isinstance(field, tuple) else (field,) for field in plan), ())
    return np.array(ints(plan), np.int64)


@intrinsic
def nested(typing, numbers, plan_class):
    """Return the record that flat() has flattened."""
    result = numba_type(plan_class.instance_class)

    def generate(context, builder, sig, args):
        data = context.make_array(numbers)(context, builder, args[0]).data
        at = count()

        def number():
            return builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), next(at))]))

        def build(kind):
            values = [number() if field == types.int64 else build(field) for field in kind.types]
            return context.make_tuple(builder, kind, values)
        return build(result)
    return result(numbers, plan_class), generate


@intrinsic
def floats_at(typing, address, begin, count, like):
    """Return the numbers begin...begin + count at an address, an array of the dtype of `like`."""
    def generate(context, builder, sig, args):
        array = context.make_array(like)(context, builder)
        size = context.get_constant(types.intp,
                                    context.get_abi_sizeof(context.get_data_type(like.dtype)))
        data = builder.gep(builder.inttoptr(args[0], array.data.type), [args[1]])
        populate_array(array, data, [args[2]], [size], size, None)
        return array._getvalue()
    return like(types.int64, types.int64, types.int64, like), generate


@intrinsic
def call(typing, address, *arguments):
    """Call a step by its address, with arguments of the declared kinds; it returns nothing.

    On x86 a step takes numbers below 1.2e-38, each of which costs 150 cycles, as zero. Weights get
    that small: L2 regularization shrinks those of a dead unit forever. The net of the paper,
    trained as there, slows down eightfold without this.
    """
    def kind(given):
        if isinstance(given, types.BaseNamedTuple):
            fields = [kind(field) for field in given.types]
            return types.BaseTuple.from_types(fields, given.instance_class)
        return types.int64 if isinstance(given, types.Integer) else types.unliteral(given)

    kinds = [kind(argument) for argument in arguments]

    def generate(context, builder, sig, args):
        values = [cast(context, builder, builder.extract_value(args[1], i), given, wanted)
                  for i, (given, wanted) in enumerate(zip(sig.args[1], kinds, strict=True))]
        function_type = context.call_conv.get_function_type(types.none, kinds)
        function = builder.inttoptr(args[0], function_type.as_pointer())
        if X86:
            control = get_control(builder)
            set_control(builder,
                        builder.or_(control, ir.Constant(control.type, SUBNORMALS_ARE_ZERO)))
        status, _ = context.call_conv.call_function(builder, function, types.none, kinds, values)
        if X86:
            set_control(builder, control)
        with builder.if_then(status.is_error, likely=False):  # only with NUMBA_BOUNDSCHECK=1
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()
    return types.void(address, types.StarArgTuple(arguments)), generate


def cast(context, builder, value, given, wanted):
    """Emit an argument's conversion to the kind that a step takes; Numba casts no named tuples."""
    if not isinstance(given, types.BaseNamedTuple):
        return context.cast(builder, value, given, wanted)
    fields = [cast(context, builder, builder.extract_value(value, i), *kinds)
              for i, kinds in enumerate(zip(given.types, wanted.types, strict=True))]
    return context.make_tuple(builder, wanted, fields)


def get_control(builder):
    """Emit a read of this thread's floating-point control register (MXCSR)."""
    place = cgutils.alloca_once(builder, ir.IntType(32))
    control_register(builder, "st", place)
    return builder.load(place)


def set_control(builder, control):
    """Emit a write of this thread's floating-point control register (MXCSR)."""
    control_register(builder, "ld", cgutils.alloca_once_value(builder, control))


def control_register(builder, direction, place):
    """Emit a move of MXCSR from ("ld") or to ("st") a place in memory."""
    pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
    function = cgutils.get_or_insert_function(builder.module,
                                              ir.FunctionType(ir.VoidType(), [pointer.type]),
                                              f"llvm.x86.sse.{direction}mxcsr")
    builder.call(function, [pointer])


def numbers_at(address, begin, count, like):
    """Do in Python what floats_at() does."""
    start = int(address + begin * like.itemsize)
    size = int(count * like.itemsize)
    return np.frombuffer((ctypes.c_char * size).from_address(start), like.dtype)


def build_plan(numbers, plan_class):
    """Do in Python what nested() does."""
    ints = iter(numbers.tolist())

    def build(kind):
        return kind(*(next(ints) if hint is int else build(hint)
                      for hint in get_type_hints(kind).values()))
    return build(plan_class)


def call_function(function, *arguments):
    """Do in Python what call() does.

    Padding in a workspace holds arbitrary bits, about which no step must warn.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        function(*arguments)


if DISABLED:
    nested = build_plan
    call = call_function
    floats_at = numbers_at

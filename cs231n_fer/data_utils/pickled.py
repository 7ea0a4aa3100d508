"""Read the values of a pickle without unpickling it: nothing named in the file is ever called.

The opcodes are listed by pickletools, which executes nothing, and followed here for what CIFAR-10's
batches contain: numbers, strings, bytes, lists, tuples, dicts and NumPy arrays. Anything else that
a pickle can ask for, above all importing or calling something, is an error.
"""
import math
import pickletools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shapes import check
from .fer2013 import shorten

__all__ = ["read_pickle_values"]

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
TEXTS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
PYTHON2_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # which pickletools reads as Latin-1
IGNORED = {"PROTO", "FRAME"}
FIXED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
GET = {"GET", "BINGET", "LONG_BINGET"}
# The names that may appear: those that pickles of all versions of NumPy and Python contain.
NAMES = {f"{module} {name}": name
         for module, name in (("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
                              ("numpy.core.multiarray", "_reconstruct"),
                              ("numpy._core.multiarray", "_reconstruct"),
                              ("numpy.core.numeric", "_frombuffer"),
                              ("numpy._core.numeric", "_frombuffer"))}
DTYPES = {"u1", "i1", "i2", "i4", "i8", "f4", "f8"}


@dataclass
class _Name:
    """A name that the file mentions; it is only compared, never imported."""

    name: str


@dataclass
class _Dtype:
    """A dtype, described step by step."""

    name: str
    order: Any = "="

    def finished(self) -> np.dtype[Any]:
        """Return the dtype of NumPy."""
        return np.dtype(self.name).newbyteorder(self.order)


@dataclass
class _Array:
    """An array, described step by step; its values come last."""

    values: NDArray[Any] | None = None


class _Machine:
    """The stack, the marks and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.kept: dict[Any, Any] = {}

    def pop(self) -> Any:
        """Return the topmost value and remove it."""
        check(len(self.stack) > (self.marks[-1] if self.marks else 0), "pops from an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Return the values above the last mark and remove them and the mark."""
        check(bool(self.marks), "goes back to a mark that was not set")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def top(self, kind: type) -> Any:
        """Return the topmost value, which must be of a kind."""
        check(bool(self.stack) and type(self.stack[-1]) is kind, f"expects a {kind.__name__}")
        return self.stack[-1]


def read_pickle_values(content: bytes) -> Any:
    """Return what a pickle describes: a plain value, an array, or a dict of these.

    Strings of Python 2 become str.

    Raises ValueError for damage, and for anything but numbers, strings, bytes, lists, tuples, dicts
    and plain arrays.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # about damaged escapes in strings
            for opcode, argument, _ in pickletools.genops(content):
                if opcode.name == "STOP":
                    break
                _follow(machine, opcode.name, argument)
        check(len(machine.stack) == 1 and not machine.marks, "ends with several values")
        value = machine.stack[0]
        if isinstance(value, dict):  # no deeper: dicts can contain themselves
            return {key: _finished(entry) for key, entry in value.items()}
        return _finished(value)
    # What damage can raise in pickletools and in NumPy; unhashable keys are TypeErrors.
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"not a pickle of plain values and arrays ({error})") from error


def _follow(machine: _Machine, name: str, argument: Any) -> None:
    """Follow one opcode."""
    stack = machine.stack
    if name in NUMBERS | BYTES | TEXTS | PYTHON2_TEXTS:
        stack.append(bytes(argument) if name in BYTES else argument)
    elif name in CONSTANTS:
        stack.append(CONSTANTS[name])
    elif name == "MARK":
        machine.marks.append(len(stack))
    elif name in EMPTY:
        stack.append(EMPTY[name]())
    elif name in PUT or name == "MEMOIZE":
        check(bool(stack), "memoizes a value from an empty stack")
        machine.kept[len(machine.kept) if name == "MEMOIZE" else argument] = stack[-1]
    elif name in GET:
        stack.append(machine.kept[argument])
    elif name in ("GLOBAL", "STACK_GLOBAL"):
        stack.append(_name(machine, argument))
    elif name == "REDUCE":
        arguments = machine.pop()
        stack.append(_called(machine.pop(), arguments))
    elif name == "BUILD":
        state = machine.pop()
        check(bool(stack), "describes a value that is not there")
        _describe(stack[-1], state)
    elif name not in IGNORED:
        _collect(machine, name)


def _collect(machine: _Machine, name: str) -> None:
    """Follow an opcode that makes or fills a list, a tuple or a dict."""
    if name in FIXED_TUPLES:
        values = [machine.pop() for _ in range(FIXED_TUPLES[name])]
        machine.stack.append(tuple(reversed(values)))
    elif name in ("TUPLE", "LIST", "DICT"):
        values = machine.pop_to_mark()
        machine.stack.append(tuple(values) if name == "TUPLE" else values if name == "LIST"
                             else dict(zip(values[::2], values[1::2], strict=True)))
    elif name in ("APPEND", "APPENDS"):
        values = [machine.pop()] if name == "APPEND" else machine.pop_to_mark()
        machine.top(list).extend(values)
    elif name in ("SETITEM", "SETITEMS"):
        values = ([machine.pop(), machine.pop()][::-1] if name == "SETITEM"
                  else machine.pop_to_mark())
        machine.top(dict).update(zip(values[::2], values[1::2], strict=True))
    else:
        raise ValueError(f"asks for {name}")


def _name(machine: _Machine, argument: str | None) -> _Name:
    """Return a name that the file mentions; ValueError unless it is needed for arrays."""
    if argument is None:
        last = machine.pop()
        argument = f"{machine.pop()} {last}"
    check(argument in NAMES, f"names {shorten(argument)}, expected one of {', '.join(NAMES)}")
    return _Name(NAMES[argument])


def _called(function: Any, arguments: Any) -> Any:
    """Return what a named function would return, for the few whose meaning is known."""
    check(isinstance(function, _Name) and isinstance(arguments, tuple),
          "calls something other than a named function")
    if function.name == "encode":  # the bytes of Python 3 in the protocols of Python 2
        text, encoding = arguments
        check(isinstance(text, str) and encoding in ("latin1", "latin-1"),
              "encodes a string other than as Latin-1")
        return text.encode("latin1")
    if function.name == "_reconstruct":
        check(arguments[0] == _Name("ndarray"), "makes an array of another type")
        return _Array()
    if function.name == "dtype":
        check(arguments[0] in DTYPES, f"has the dtype {arguments[0]!r}")
        return _Dtype(arguments[0])
    check(function.name == "_frombuffer" and len(arguments) == 4, f"calls {function.name}")
    content, dtype, shape, order = arguments
    return _Array(_array(content, dtype, shape, order))


def _describe(target: Any, state: Any) -> None:
    """Complete the description of a dtype or of an array."""
    check(isinstance(state, tuple), "describes a value by something other than a tuple")
    if isinstance(target, _Dtype):
        check(len(state) >= 2 and state[1] in ("|", "<", ">", "="), "describes a dtype wrongly")
        target.order = state[1]
        return
    check(isinstance(target, _Array) and len(state) == 5, "describes a value of another kind")
    _, shape, dtype, by_columns, content = state
    target.values = _array(content, dtype, shape, "F" if by_columns else "C")


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """Return an array from its bytes, after checking that their number matches the shape."""
    raw = content.encode("latin1") if isinstance(content, str) else content
    check(isinstance(raw, bytes) and isinstance(dtype, _Dtype) and isinstance(shape, tuple)
          and all(type(n) is int and n >= 0 for n in shape) and order in ("C", "F"),
          "describes an array wrongly")
    need = math.prod(shape) * dtype.finished().itemsize
    check(len(raw) == need, f"has an array of {len(raw):,} bytes, expected {need:,}")
    return np.frombuffer(raw, dtype.finished()).reshape(shape, order=order)


def _finished(value: Any) -> Any:
    """Return the array of a description, and any other value unchanged."""
    if isinstance(value, _Array):
        check(value.values is not None, "has an array without values")
        return value.values
    check(not isinstance(value, _Name | _Dtype), "contains something other than a value")
    return value

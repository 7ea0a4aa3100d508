"""What decides the bits of a run, as texts that are the same in every process.

A checkpoint holds these texts, and a run is resumed only where they agree. Functions and classes
that have a name are described by it: editing their code is a change of the program, not of the
settings. Lambdas and functions defined inside of others are described by their code and by the
values that they have captured.
"""
import hashlib
import os
from dataclasses import fields, is_dataclass
from functools import partial
from types import BuiltinMethodType, CodeType, FunctionType, MethodType

import numpy as np

PLAIN = (int, float, complex, str, bytes, range, slice, type(None), type(...))
# Attributes that decide what a net computes; WEIGHTS are its state.
NET = ("layer", "input_shape", "dtype", "reg", "loss_function", "teacher")
WEIGHTS = ("params", "buffers")
ROWS = 1024  # of an array that are hashed at a time
LONGEST = 10_000  # characters; of a longer text the beginning and a digest are kept


def fingerprint(solver):
    """Return {name: text} of all that decides the bits of a run of a Solver: data, net, chance."""
    found = {"model": name_of(type(solver.model))}
    for name in ("X_train", "y_train", "X_val", "y_val"):
        found[name] = describe_array(vars(solver)[name])
    for name in ("schedule", "augmentation", "sampler"):
        found[name] = describe(vars(solver)[name])
    for name, value in attributes(solver.model).items():
        if name in NET:
            found[name] = describe(value)
    return {name: text if len(text) <= LONGEST else f"{text[:100]}... {digest([text.encode()])}"
            for name, text in found.items()}


def describe(value, inside=()):
    """Return a text that is equal for equal values in every process; of a record its usual repr.

    inside   the ids of the objects of which the value is a part, so that a cycle ends
    """
    if id(value) in inside:
        return "..."
    part = partial(describe, inside=(*inside, id(value)))
    if isinstance(value, np.generic):
        return part(value.item())
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, np.ndarray):
        return describe_array(value) if value.ndim else f"{value.dtype} {part(value.item())}"
    if isinstance(value, np.dtype):
        return str(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{part(key)}: {part(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(part, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(part, value))}{',' * (len(value) == 1)})"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(part, value)))}}}"
    if is_dataclass(value) and not isinstance(value, type):
        values = ", ".join(f"{each.name}={part(vars(value)[each.name])}" for each in fields(value))
        return f"{type(value).__qualname__}({values})"
    return describe_object(value, part)


def describe_object(value, part):
    """Return the text of a function, or of an object of a class that says nothing about itself."""
    if isinstance(value, partial):
        return f"partial({part(value.func)}, {part(value.args)}, {part(value.keywords)})"
    if isinstance(value, MethodType):
        return f"{part(value.__self__)}.{value.__name__}"
    if isinstance(value, FunctionType) and "<" in value.__qualname__:  # <lambda> or <locals>
        captured = [held(cell) for cell in value.__closure__ or ()]
        defaults = value.__defaults__, value.__kwdefaults__
        decides = [part(value.__code__), part(defaults), part(captured)]
        return f"{name_of(value)} {digest(text.encode() for text in decides)}"
    if isinstance(value, CodeType):
        return f"{value.co_code.hex()} {part(value.co_names)} {part(value.co_consts)}"
    if isinstance(value, np.ufunc):
        return f"numpy.{value.__name__}"
    if isinstance(value, type | FunctionType | BuiltinMethodType):
        return name_of(value)
    if isinstance(value, np.random.Generator):
        return part(value.bit_generator.state)
    found = attributes(value)
    if "__wrapped__" in found:  # compiled by Numba, or decorated
        return part(found["__wrapped__"])
    if "params" in found:  # a net or a Predictor: the rest of it is memory
        found = {name: each for name, each in found.items() if name in (*NET, *WEIGHTS)}
    values = ", ".join(f"{name}={part(each)}" for name, each in sorted(found.items()))
    return f"{name_of(type(value))}({values})"


def describe_array(array):
    """Return dtype, shape and digest of an array (N, ...), or of what can be sliced like one."""
    first = np.asarray(array[:1])
    blocks = (np.asarray(array[i:i + ROWS]) for i in range(0, len(array), ROWS))
    if first.dtype.hasobject:  # whose bytes are addresses
        values = digest(repr(block.tolist()).encode() for block in blocks)
    else:
        values = digest(block.tobytes() for block in blocks)
    return f"{first.dtype} {(len(array), *first.shape[1:])} {values}"


def digest(parts):
    """Return the hexadecimal BLAKE2b digest of an iterable of bytes."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def attributes(value):
    """Return the attributes of an object as a dict, which is empty where the object has none."""
    return vars(value) if hasattr(value, "__dict__") else {}


def name_of(thing):
    """Return "module.name" of a class or a function."""
    return f"{thing.__module__}.{thing.__qualname__}"


def held(cell):
    """Return what a function has captured in a cell; None where the cell is still empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def excerpts(*texts):
    """Return the texts; of a long one 90 characters around the first in which they differ."""
    start = max(0, len(os.path.commonprefix(texts)) - 30)
    dots = "..." if start else ""
    return [text if len(text) <= 100 else f"{dots}{text[start:start + 90]}..." for text in texts]

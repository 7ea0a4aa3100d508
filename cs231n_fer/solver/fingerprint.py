"""What decides the bits of a run, as texts that are equal in every process.

A checkpoint holds these texts, and a run is resumed only if they agree. Functions and classes with
a name are described by it: editing their code changes the program, not the settings. Lambdas and
nested functions are described by their code, and by the values that they have captured or read from
global numbers and texts.
"""
from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import BuiltinMethodType, CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nets.network import Network
from ..types import Model

__all__ = ["describe", "describe_array", "excerpts", "fingerprint"]

PLAIN = (int, float, complex, str, bytes, range, slice, type(None), type(...))
# Attributes that decide what a network computes; WEIGHTS are its state.
NET = ("layer", "input_shape", "dtype", "reg", "loss_function", "teacher")
WEIGHTS = ("params", "buffers")
ROWS = 1024  # rows of an array that are hashed at a time
LONGEST = 10_000  # characters; a longer text is replaced by its beginning and a digest


def fingerprint(model: Model, data: Mapping[str, NDArray[Any]], choices: Mapping[str, object]
                ) -> dict[str, str]:
    """Return {name: text} of everything that decides the bits of a training.

    model     its class, and the attributes in NET; of one that is no Network all public ones that
              are numbers, texts or made of them, as they are before the training
    data      arrays by name
    choices   schedule, augmentation and sampler by name
    """
    found = {"model": name_of(type(model))}
    found |= {name: describe_array(array) for name, array in data.items()}
    found |= {name: describe(value) for name, value in choices.items()}
    for name, value in attributes(model).items():
        if name in NET:
            found[name] = describe(value)
    if not isinstance(model, Network):
        others = {name: value for name, value in attributes(model).items()
                  if name not in (*NET, *WEIGHTS) and name[0] != "_" and is_plain(value)}
        found["attributes"] = describe(dict(sorted(others.items())))
    return {name: shortened(text) for name, text in found.items()}


def is_plain(value: object) -> bool:
    """Return whether a value is a number, a text, or a list, tuple or dict of these."""
    if isinstance(value, dict):
        return all(is_plain(item) for item in (*value, *value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, (*PLAIN, np.generic))


def shortened(text: str) -> str:
    """Return a text; of one longer than LONGEST its beginning and a digest."""
    return text if len(text) <= LONGEST else f"{text[:100]}... {digest([text.encode()])}"


def describe(value: Any, inside: tuple[int, ...] = ()) -> str:
    """Return a text that is equal for equal values in every process; for a record its usual repr.

    inside   the ids of the objects that contain the value, so that a cycle ends
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
        held_values = attributes(value)
        values = ", ".join(f"{field.name}={part(held_values[field.name])}"
                           for field in fields(value))
        return f"{type(value).__qualname__}({values})"
    return describe_object(value, part)


def describe_object(value: Any, part: Callable[[Any], str]) -> str:
    """Return the text of a function, or of an object of a class without a known text.

    part   describe, for the parts of the value
    """
    if isinstance(value, partial):
        return f"partial({part(value.func)}, {part(value.args)}, {part(value.keywords)})"
    if isinstance(value, MethodType):
        return f"{part(value.__self__)}.{value.__name__}"
    if isinstance(value, FunctionType) and "<" in value.__qualname__:  # <lambda> or <locals>
        captured = [held(cell) for cell in value.__closure__ or ()]
        defaults = (value.__defaults__, value.__kwdefaults__)
        decides = [part(value.__code__), part(defaults), part(captured)]
        read = {name: value.__globals__[name] for name in value.__code__.co_names
                if name in value.__globals__ and is_plain(value.__globals__[name])}
        decides += [part(read)] if read else []
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
    if not found and " at 0x" not in repr(value):  # of a class written in C, as deque and Fraction
        return f"{name_of(type(value))} {value!r}"
    if "__wrapped__" in found:  # compiled by Numba, or decorated
        return part(found["__wrapped__"])
    if "params" in found:  # a network or a Predictor: its other attributes are workspaces
        found = {name: found[name] for name in found if name in (*NET, *WEIGHTS)}
    values = ", ".join(f"{name}={part(attribute)}" for name, attribute in sorted(found.items()))
    return f"{name_of(type(value))}({values})"


def describe_array(array: NDArray[Any]) -> str:
    """Return dtype, shape and digest of an array (N, ...), or of an object that slices like one."""
    first = np.asarray(array[:1])
    blocks = (np.asarray(array[i:i + ROWS]) for i in range(0, len(array), ROWS))
    if first.dtype.hasobject:  # whose bytes are addresses
        numbers = digest(repr(block.tolist()).encode() for block in blocks)
    else:
        numbers = digest(block.tobytes() for block in blocks)
    return f"{first.dtype} {(len(array), *first.shape[1:])} {numbers}"


def digest(parts: Iterable[bytes]) -> str:
    """Return the hexadecimal BLAKE2b digest of an iterable of bytes."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def attributes(value: object) -> dict[str, Any]:
    """Return the attributes of an object by name, those in slots as well; {} if it has none."""
    slots = [slot for kind in type(value).__mro__ for slot in slots_of(kind)]
    found = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
    return {**found, **(vars(value) if hasattr(value, "__dict__") else {})}


def slots_of(kind: type) -> tuple[str, ...]:
    """Return the names of the attributes that a class keeps in slots."""
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def name_of(thing: type | FunctionType | BuiltinMethodType) -> str:
    """Return "module.name" of a class or a function."""
    return f"{thing.__module__}.{thing.__qualname__}"


def held(cell: CellType) -> Any:
    """Return what a function has captured in a cell; None if the cell is still empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def excerpts(*texts: str) -> list[str]:
    """Return the texts; of a long one the 90 characters around the first difference."""
    start = max(0, len(os.path.commonprefix(texts)) - 30)
    dots = "..." if start else ""
    return [text if len(text) <= 100 else f"{dots}{text[start:start + 90]}..."
            for text in texts]

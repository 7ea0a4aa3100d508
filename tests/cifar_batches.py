"""Small batches of CIFAR-10 in the format of its python version, written byte for byte."""
import struct

END = b"."


def number(value):
    return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)


def python2(value):
    """Return a text or bytes as Python 2 writes both."""
    raw = value.encode("latin1") if isinstance(value, str) else bytes(value)
    if len(raw) < 256:
        return b"U" + bytes([len(raw)]) + raw
    return b"T" + struct.pack("<i", len(raw)) + raw


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<i", len(raw)) + raw


def encoded(value):
    """Return a text, or bytes as Python 3 writes them in the protocols of Python 2."""
    if isinstance(value, str):
        return text(value)
    return (b"c_codecs\nencode\n" + text(bytes(value).decode("latin1")) + text("latin1")
            + b"\x86R")


def python3(value):
    """Return a text or bytes as Python 3 writes them in its own protocols."""
    if isinstance(value, str):
        return b"\x8c" + bytes([len(value)]) + value.encode()
    return b"B" + struct.pack("<i", len(value)) + bytes(value)


def old_name(module, name):
    return f"c{module}\n{name}\n".encode()


def new_name(module, name):
    return python3(module) + python3(name) + b"\x93"


# name: (head, how texts and bytes are written, how names are, the module of NumPy)
VARIANTS = {
    "Python 2": (b"\x80\2", python2, old_name, "numpy.core.multiarray"),
    "Python 3, protocol 2": (b"\x80\2", encoded, old_name, "numpy.core.multiarray"),
    "Python 3, protocol 4": (b"\x80\4", python3, new_name, "numpy._core.multiarray"),
}


def batch(pixels, labels, variant="Python 2", bytes_keys=False):
    """Return a batch of pixels (N, 3072) uint8 and labels."""
    head, write, name, module = VARIANTS[variant]
    key = (lambda word: write(word.encode())) if bytes_keys else write
    if bytes_keys and variant == "Python 2":
        key = python2
    dtype = (name("numpy", "dtype") + write("u1") + number(0) + number(1) + b"\x87R"
             + b"(" + number(3) + write("|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + number(0)
             + b"tb")
    shape = number(pixels.shape[0]) + number(pixels.shape[1]) + b"\x86"
    array = (name(module, "_reconstruct") + name("numpy", "ndarray") + number(0) + b"\x85"
             + write(b"b") + b"\x87R"
             + b"(" + number(1) + shape + dtype + b"\x89" + write(pixels.tobytes()) + b"tb")
    items = (key("batch_label") + write("training batch 1 of 5")
             + key("labels") + b"]q\5(" + b"".join(map(number, labels)) + b"e"
             + key("data") + array
             + key("filenames") + b"](" + b"".join(write(f"{i}.png") for i in labels) + b"e")
    return head + b"}q\1(" + items + b"u" + END

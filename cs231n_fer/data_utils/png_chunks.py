"""What Pillow ignores in PNG files: missing rows, and palettes that are missing or too late."""
import zlib
from collections.abc import Iterator

from ..shapes import check

__all__ = ["ADAM7", "check_png", "chunks"]

# Where the passes of an interlaced PNG begin, and their strides: column, row, columns, rows.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each color type
PALETTE = 3  # the color type whose pixels are numbers of colors
PIECE = 1 << 24  # bytes unpacked at once


def check_png(content: bytes) -> int:
    """Return the bits per color of a PNG file whose checksums are right.

    Raises ValueError for missing rows, and for a palette that is missing, truncated or too late.
    """
    depth = content[24]
    color_type = content[25]
    check(content[12:16] == b"IHDR" and color_type in CHANNELS, "has no valid header")
    need = _bytes_of_rows(int.from_bytes(content[16:20], "big"),
                          int.from_bytes(content[20:24], "big"),
                          depth * CHANNELS[color_type], bool(content[28]))
    came = _unpacked(b"".join(data for kind, data in chunks(content) if kind == b"IDAT"), need)
    check(came == need, f"has {came:,} bytes of pixels, expected {need:,}: rows are missing")
    if color_type == PALETTE:
        _check_palette(content)
    return depth


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, data) of the chunks of a PNG before its end."""
    start = 8
    while start < len(content) and (kind := content[start + 4:start + 8]) != b"IEND":
        end = start + 8 + int.from_bytes(content[start:start + 4], "big")
        yield kind, content[start + 8:end]
        start = end + 4


def _bytes_of_rows(W: int, H: int, bits: int, interlaced: bool) -> int:
    """Return the number of bytes in H rows of W pixels, with one filter byte per row."""
    need = 0
    for column, row, columns, rows in ADAM7 if interlaced else ((0, 0, 1, 1),):
        width = -(-(W - column) // columns)
        height = -(-(H - row) // rows)
        if width > 0 and height > 0:
            need += height * (1 + -(-width * bits // 8))
    return need


def _unpacked(packed: bytes, need: int) -> int:
    """Return how many bytes can be unpacked, at most `need`."""
    unpacker = zlib.decompressobj()
    came = 0
    while came < need:
        piece = unpacker.decompress(packed, min(PIECE, need - came))
        packed = unpacker.unconsumed_tail
        came += len(piece)
        if not piece:
            break
    return came


def _check_palette(content: bytes) -> None:
    """Raise ValueError unless a whole palette comes before the pixels."""
    palette = b""
    for kind, data in chunks(content):
        if kind == b"IDAT":
            break
        palette = data if kind == b"PLTE" else palette
    check(bool(palette) and len(palette) % 3 == 0,
          f"has a palette of {len(palette)} bytes, expected three per color")

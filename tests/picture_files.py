"""Picture files by Pillow, and made by hand, byte for byte, where Pillow can't write them."""
import io
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHORT = 3
LONG = 4


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, content):
    """Return a chunk of a PNG."""
    length = struct.pack(">I", len(content))
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return length + kind + content + checksum


def png(width, height, depth=8, colour=0, data=b"", extra=b"", interlace=0):
    """Return a PNG file with the given header and data, whether or not they match."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return SIGNATURE + head + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def png_of(rows, width, depth, colour, extra=b""):
    """Return a PNG file of rows of packed pixels."""
    return png(width, len(rows), depth, colour, b"".join(b"\0" + row for row in rows), extra)


def tiff(data, width, height, bits, photometric=1, order="<", samples=1, more=()):
    """Return a TIFF file of one strip of pixels without compression.

    more    further entries (tag, type, numbers)
    """
    entries = [(256, SHORT, [width]), (257, SHORT, [height]), (258, SHORT, [bits] * samples),
               (259, SHORT, [1]), (262, SHORT, [photometric]), (273, LONG, [0]),
               (277, SHORT, [samples]), (278, SHORT, [height]), (279, LONG, [len(data)]), *more]
    packed = [(tag, kind, len(numbers),
               struct.pack(order + {SHORT: "H", LONG: "I"}[kind] * len(numbers), *numbers))
              for tag, kind, numbers in sorted(entries)]
    behind = 14 + 12 * len(packed)
    pixels = behind + sum(len(numbers) for *_, numbers in packed if len(numbers) > 4)
    table = b""
    long_numbers = b""
    for tag, kind, count, numbers in packed:
        if tag == 273:
            numbers = struct.pack(order + "I", pixels)
        table += struct.pack(order + "HHI", tag, kind, count)
        if len(numbers) <= 4:
            table += numbers.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", behind + len(long_numbers))
            long_numbers += numbers
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(packed))
    return head + table + bytes(4) + long_numbers + data

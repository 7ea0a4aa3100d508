"""Read FER2013's CSV files: strictly, in batches of rows, fast where a batch is clean.

A row is split at its commas in Python (cheap: 35,887 rows); the 83 million pixel values are decoded by NumPy,
a batch of rows at a time. Only where a batch is not perfect is each of its rows looked at alone, and its
first fault named.
"""

import io

import numpy as np

from .fer2013 import EMOTIONS, PIXELS, SIDE, UNLABELLED, USAGES, Faces, shorten

LONGEST_LINE = 1 << 16  # bytes; a good row has at most 9,300
BATCH = 512
EMOTION_CODES = {str(code).encode(): code for code in range(len(EMOTIONS))}
USAGE_CODES = {name.encode(): code for code, name in enumerate(USAGES)}
BOM = b"\xef\xbb\xbf"


def read_csv(stream, name, bad, advance=lambda byte_count: None):
    """Read one CSV of faces with the columns pixels [, emotion] [, Usage] in any order.

    stream   binary stream, read once from its start, and closed
    name     what to call the file in messages
    bad      BadRows that takes each row that cannot be read, with its line number (the header is line 1)
    advance  called with the number of bytes just read (progress bar)
    returns  Faces of the good rows. Without the column emotion all are unlabelled (255). Without Usage a file
             with labels is Training (train.csv); one without is test.csv: first half PublicTest, the rest
             PrivateTest.
    Raises ValueError if the header is not one of a FER2013 file.
    """
    batches, batch, records = [], [], 0
    with io.BufferedReader(stream, 1 << 20) as lines:
        columns = read_header(lines.readline(LONGEST_LINE), name)
        for number, line in _lines(lines, name, bad, advance):
            records += 1
            row = _split_row(line, columns, f"{name} line {number}", bad) if line is not None else None
            if row is not None:
                batch.append((records - 1, f"{name} line {number}", *row))
            if len(batch) == BATCH:
                batches.append(_decode_batch(batch, bad))
                batch = []
    batches.append(_decode_batch(batch, bad))
    pixels, emotion, usage, record = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    if "usage" not in columns and "emotion" not in columns:
        usage = np.where(record < (records + 1) // 2, 1, 2).astype(np.uint8)
    return Faces(pixels, emotion, usage, record, records)


def read_header(line, name):
    """Lower-case column name -> position, from the header (bytes); a BOM, quotes and spaces are tolerated."""
    names = [part.strip().strip('"').strip().lower()
             for part in line.removeprefix(BOM).decode("utf-8", "replace").strip().split(",")]
    unknown = [part for part in names if part not in ("emotion", "pixels", "usage")]
    if unknown or "pixels" not in names or len(set(names)) != len(names):
        raise ValueError(f"source: the first line of {name} is {shorten(line.strip(), 80)}; "
                         "expected a header of the columns pixels, emotion and Usage (pixels always)")
    return {part: position for position, part in enumerate(names)}


def decode_pixels(texts):
    """Decode texts of 2,304 whole numbers 0-255 separated by single spaces: all, or None if any is at fault.

    texts    list of bytes
    returns  uint8 (len(texts), 48, 48), or None
    """
    raw = np.frombuffer(b" ".join([b"  ", *texts, b""]), dtype=np.uint8)  # 3 spaces before, 1 behind
    spaces = np.flatnonzero(raw == 32)[2:]
    if len(spaces) != len(texts) * PIXELS + 1:
        return None
    ends_of_rows = 2 + np.cumsum([len(text) + 1 for text in texts])
    digits = raw - np.uint8(48)  # a byte below "0" wraps around to a large number
    lengths = np.diff(spaces) - 1
    if ((digits < 10).sum() != len(raw) - len(spaces) - 2 or lengths.min() < 1 or lengths.max() > 3
            or not np.array_equal(spaces[PIXELS::PIXELS], ends_of_rows)):
        return None
    last = spaces[1:] - 1
    values = digits[last].astype(np.uint16)
    values += (digits[last - 1] * (lengths > 1)).astype(np.uint16) * np.uint16(10)
    values += (digits[last - 2] * (lengths > 2)).astype(np.uint16) * np.uint16(100)
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(-1, SIDE, SIDE)


def pixel_fault(text):
    """Say what is wrong with the pixels (bytes) of one row; None if nothing is."""
    if decode_pixels([text]) is not None:
        return None
    if not text.strip():
        return "pixels are empty"
    if text.strip().lower() == b"pixels":
        return "repeats the header"
    values = text.split(b" ")
    for position, value in enumerate(values):
        if not value:
            return f"pixels have an extra space before value {position + 1}"
        if not (value.isdigit() and value.isascii()):
            return f"pixel {position + 1} is {shorten(value)}, expected a whole number 0 to 255"
        if len(value) > 3 or int(value) > 255:
            return f"pixel {position + 1} is {shorten(value)}, expected 0 to 255 in at most three digits"
    return f"has {len(values):,} pixels, expected {PIXELS:,}"


def _lines(stream, name, bad, advance):
    """Yield (line number, line with its end) from line 2 on; None for a line too long to keep."""
    number, waiting = 1, 0
    while line := stream.readline(LONGEST_LINE):
        number, waiting = number + 1, waiting + len(line)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                waiting += len(more)
            bad.add(f"{name} line {number}", f"is longer than {LONGEST_LINE:,} bytes, expected at most 9,300")
            line = None
        yield number, line
        if waiting > 1 << 20:
            advance(waiting)
            waiting = 0
    advance(waiting)


def _split_row(line, columns, place, bad):
    """(emotion code, usage code, pixel text) of a row, or None after its fault is noted."""
    text = line.rstrip(b"\r\n")
    fields = text.split(b",")
    if len(fields) != len(columns):
        bad.add(place, f"has {len(fields)} columns, expected {len(columns)}" if text.strip() else "is empty")
        return None
    values = {}
    for column, position in columns.items():
        value = fields[position].strip(b" ")
        if value[:1] == b'"' or value[-1:] == b'"':
            if len(value) < 2 or value[:1] != value[-1:]:
                return bad.add(place, f"{column} has a quote without its partner")
            value = value[1:-1]
        values[column] = value
    emotion = EMOTION_CODES.get(values["emotion"]) if "emotion" in columns else UNLABELLED
    usage = USAGE_CODES.get(values["usage"]) if "usage" in columns else 0
    if values["pixels"].lower() == b"pixels":
        return bad.add(place, "repeats the header")
    if emotion is None:
        return bad.add(place, f"emotion is {shorten(values['emotion'])}, expected 0 to {len(EMOTIONS) - 1}")
    if usage is None:
        return bad.add(place, f"usage is {shorten(values['usage'])}, expected one of {', '.join(USAGES)}")
    if text == line and fields[-1][-1:].isdigit() and columns["pixels"] == len(columns) - 1:
        return bad.add(place, "is the last line and has no line end, so its last pixel may be cut")
    return emotion, usage, values["pixels"]


def _decode_batch(batch, bad):
    """Arrays pixels, emotion, usage, record of the good rows of [(record, place, emotion, usage, text)]."""
    pixels = decode_pixels([row[4] for row in batch]) if batch else np.empty((0, SIDE, SIDE), np.uint8)
    if pixels is None:
        good = []
        for row in batch:
            fault = pixel_fault(row[4])
            if fault:
                bad.add(row[1], fault)
            else:
                good.append(row)
        return _decode_batch(good, bad)
    record, _, emotion, usage, _ = zip(*batch, strict=True) if batch else ((),) * 5
    return pixels, np.array(emotion, np.uint8), np.array(usage, np.uint8), np.array(record, np.int64)

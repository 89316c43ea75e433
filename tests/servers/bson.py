# SPDX-License-Identifier: BSD-2-Clause
"""bson.py - BSON, as bsonspec.org describes it, of the kinds that tests of mongodb tables need."""

import struct


class Int64(int):
    """A number of eight bytes, however small it is."""


class Oid(bytes):
    """Twelve bytes."""


class Date(int):
    """Milliseconds since 1970."""


class Timestamp(int):
    """Seconds since 1970 in the upper half, a count in the lower one."""


class Regex(tuple):
    """A pattern and its options."""


class Code(str):
    """JavaScript."""


class Raw(bytes):
    """An element's kind and bytes, right or wrong, which go out as they are."""


def cstring(text):
    return text.encode() + b"\0"


def _string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<i", len(data) + 1) + data + b"\0"


def _value(value):
    """@return the byte for its kind, and the value"""
    if isinstance(value, Raw):
        return value[0], value[1:]
    if isinstance(value, bool):
        return 8, bytes([value])
    if isinstance(value, float):
        return 1, struct.pack("<d", value)
    if isinstance(value, Timestamp):
        return 17, struct.pack("<q", value)
    if isinstance(value, Date):
        return 9, struct.pack("<q", value)
    if isinstance(value, int):
        small = -2 ** 31 <= value < 2 ** 31 and not isinstance(value, Int64)
        return (16, struct.pack("<i", value)) if small else (18, struct.pack("<q", value))
    if isinstance(value, Code):
        return 13, _string(value)
    if isinstance(value, str):
        return 2, _string(value)
    if isinstance(value, dict):
        return 3, encode(value)
    if isinstance(value, list):
        return 4, encode({str(i): one for i, one in enumerate(value)})
    if isinstance(value, Oid):
        return 7, bytes(value)
    if isinstance(value, bytes):
        return 5, struct.pack("<ib", len(value), 0) + value
    if value is None:
        return 10, b""
    if isinstance(value, Regex):
        return 11, cstring(value[0]) + cstring(value[1])
    raise TypeError(type(value))


def encode(document):
    body = b""
    for name, value in document.items():
        kind, data = _value(value)
        body += bytes([kind]) + cstring(name) + data
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def _decode_string(data, at):
    size, = struct.unpack_from("<i", data, at)
    return data[at + 4:at + 3 + size].decode(), at + 4 + size


def _decode_value(kind, data, at):
    if kind == 1:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 2:
        return _decode_string(data, at)
    if kind in (3, 4):
        size, = struct.unpack_from("<i", data, at)
        document = decode(data[at:at + size])
        return document if kind == 3 else list(document.values()), at + size
    if kind == 5:
        size, = struct.unpack_from("<i", data, at)
        return bytes(data[at + 5:at + 5 + size]), at + 5 + size
    if kind == 7:
        return Oid(data[at:at + 12]), at + 12
    if kind == 8:
        return data[at] != 0, at + 1
    if kind == 9:
        return Date(struct.unpack_from("<q", data, at)[0]), at + 8
    if kind == 10:
        return None, at
    if kind == 11:
        pattern, at = _text(data, at)
        options, at = _text(data, at)
        return Regex((pattern, options)), at
    if kind == 13:
        text, at = _decode_string(data, at)
        return Code(text), at
    if kind == 16:
        return struct.unpack_from("<i", data, at)[0], at + 4
    if kind == 17:
        return Timestamp(struct.unpack_from("<q", data, at)[0]), at + 8
    if kind == 18:
        return Int64(struct.unpack_from("<q", data, at)[0]), at + 8
    raise ValueError(f"element of kind {kind}")


def decode(data):
    document = {}
    at = 4
    while data[at] != 0:
        kind = data[at]
        name, at = _text(data, at + 1)
        document[name], at = _decode_value(kind, data, at)
    return document

# SPDX-License-Identifier: GPL-2.0-only
"""ELF files made small: what a loader needs of a kernel, without the gaps between its segments."""
import struct

_HEAD = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOAD = 1
_MAGIC = b"\x7fELF\x02\x01"
_ALIGN = 16


def compact(data: bytes) -> bytes:
    """The ELF file DATA without sections and gaps; DATA itself if it is none of 64 bits.

    The linker aligns segments to 2 MiB in the file as well, and a fifth of a kernel is zeros.
    """
    if not data.startswith(_MAGIC):
        return data
    head = list(_HEAD.unpack_from(data))
    at, count = head[5], head[10]
    segments = [list(_SEGMENT.unpack_from(data, at + i * _SEGMENT.size)) for i in range(count)]
    out = bytearray(_HEAD.size + count * _SEGMENT.size)
    moved: list[tuple[int, int, int]] = []  # (old offset, size, new offset) of what is loaded
    for segment in sorted(segments, key=lambda s: bool(s[0] != _LOAD)):
        offset, size = segment[2], segment[5]
        for start, length, new in moved:
            if start <= offset and offset + size <= start + length:
                segment[2] = new + offset - start
                break
        else:
            out += bytes(-len(out) % _ALIGN)
            segment[2] = len(out)
            moved.append((offset, size, len(out)))
            out += data[offset:offset + size]
    head[5] = _HEAD.size
    head[6] = head[12] = head[13] = 0       # no sections
    _HEAD.pack_into(out, 0, *head)
    for i, segment in enumerate(segments):
        _SEGMENT.pack_into(out, _HEAD.size + i * _SEGMENT.size, *segment)
    return bytes(out)

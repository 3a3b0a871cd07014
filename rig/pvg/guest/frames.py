# SPDX-License-Identifier: GPL-2.0-only
"""Finds the guest's frames in what comes out of a console that others write to as well.

rig/guest/frames.c is the sender and describes a frame. Two things may go wrong on the way: text
of the kernel or the hypervisor lands inside a frame, and bytes are lost. Foreign text begins with
a character that no frame contains and ends with its line, so it is cut out again; loss shows
in the check sum or as a gap in the sequence.
"""
import base64
import binascii
import dataclasses

STX, ETX, ACK = 0x02, 0x03, 0x06
_INSIDE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_HEAD, _TAIL = 9, 8     # type and sequence before the payload, check sum after it
_LONGEST = 8192         # a frame that has not ended by then never was one

_OUTSIDE, _FRAME, _FOREIGN = range(3)


@dataclasses.dataclass
class Frame:
    """One frame: its type (a letter) and payload."""

    kind: str
    payload: bytes


class Decoder:
    """Feed it what the console says; it gives frames and, in between, other people's text."""

    def __init__(self) -> None:
        self.expected = 0
        self.lost = 0           # frames that never arrived whole
        self._state = _OUTSIDE
        self._body = bytearray()
        self._after_frame = False

    def feed(self, data: bytes) -> list[Frame | bytes]:
        """Decode DATA; returns a list of Frame and bytes objects in the order of arrival."""
        found: list[Frame | bytes] = []
        text = bytearray()
        for byte in data:
            if self._state == _OUTSIDE:
                self._outside(byte, text)
            elif self._state == _FOREIGN:
                text.append(byte)
                if byte == 0x0a:
                    self._state = _FRAME
            elif byte in _INSIDE:
                self._body.append(byte)
                if len(self._body) > _LONGEST:
                    self._give_up(text)
            elif byte == ETX:
                self._state = _OUTSIDE
                frame = self._finish(text)
                if frame:
                    if text:
                        found.append(bytes(text))
                        text.clear()
                    found.append(frame)
            elif byte == STX:
                self._give_up(text)
                self._state = _FRAME
            elif byte not in b"\r\n":
                text.append(byte)
                self._state = _FOREIGN
        if text:
            found.append(bytes(text))
        return found

    def _outside(self, byte: int, text: bytearray) -> None:
        if byte == STX:
            self._state = _FRAME
            self._body.clear()
        elif self._after_frame and byte in b"\r\n":
            # The line end that follows each frame belongs to it.
            if byte == 0x0a:
                self._after_frame = False
        else:
            self._after_frame = False
            text.append(byte)

    def _give_up(self, text: bytearray) -> None:
        """Hand on as text the bytes that looked like a frame and are none."""
        text += self._body
        self._body.clear()
        self._state = _OUTSIDE

    def _finish(self, text: bytearray) -> Frame | None:
        body = bytes(self._body)
        self._after_frame = True
        try:
            if len(body) < _HEAD + _TAIL or not body[:1].isalpha():
                raise ValueError("too short")
            if binascii.crc32(body[:-_TAIL]) != int(body[-_TAIL:], 16):
                raise ValueError("check sum")
            sequence = int(body[1:_HEAD], 16)
            payload = base64.b64decode(body[_HEAD:-_TAIL], validate=True)
        except ValueError:
            self._give_up(text)
            return None
        self._body.clear()
        self.lost += max(0, sequence - self.expected)
        self.expected = sequence + 1
        return Frame(chr(body[0]), payload)


def encode(kind: str, sequence: int, payload: bytes) -> bytes:
    """The bytes of one frame, as the guest would send them."""
    body = f"{kind}{sequence:08x}".encode() + base64.b64encode(payload)
    return b"\x02" + body + f"{binascii.crc32(body):08x}".encode() + b"\x03\n"

# SPDX-License-Identifier: MIT
"""Tests of the frame decoder: foreign text inside frames, damage, gaps, arbitrary pieces."""
import random
import unittest

import rigtest  # noqa: F401  (sets the path of the rig)
from pvg.guest import frames


def decode(data: bytes, pieces: int = 1 << 20) -> tuple[list[tuple[str, bytes]], bytes, int]:
    """Feed DATA in PIECES; returns frames as (kind, payload), other text, and frames lost."""
    decoder = frames.Decoder()
    found, text = [], b""
    for at in range(0, len(data), pieces):
        for item in decoder.feed(data[at:at + pieces]):
            if isinstance(item, frames.Frame):
                found.append((item.kind, item.payload))
            else:
                text += item
    return found, text, decoder.lost


class Decoder(rigtest.Case):
    """The decoder returns the guest's frames, and nothing else."""

    payload = bytes(range(256)) * 3

    def test_plain(self) -> None:
        data = frames.encode("o", 0, b"one") + frames.encode("e", 1, b"") + b"boot\r\n"
        self.assertEqual(decode(data), ([("o", b"one"), ("e", b"")], b"boot\r\n", 0))

    def test_pieces_of_any_size(self) -> None:
        data = b"Xen\n" + frames.encode("o", 0, self.payload) + b"text\n"
        for size in (1, 2, 3, 7, 100):
            with self.subTest(size):
                self.assertEqual(decode(data, size), ([("o", self.payload)], b"Xen\ntext\n", 0))

    def test_foreign_lines_anywhere_inside(self) -> None:
        frame = frames.encode("o", 0, self.payload)
        for line in (b"(XEN) d0v0 something\r\n", b"[    1.234567] printk\r\n"):
            for at in range(1, len(frame) - 2):
                found, text, lost = decode(frame[:at] + line + frame[at:])
                self.assertEqual(found, [("o", self.payload)], at)
                self.assertEqual(text, line)
                self.assertEqual(lost, 0)

    def test_line_ends_that_a_terminal_adds(self) -> None:
        data = frames.encode("o", 0, b"a").replace(b"\n", b"\r\n") + frames.encode("o", 1, b"b")
        self.assertEqual(decode(data), ([("o", b"a"), ("o", b"b")], b"", 0))

    def test_damaged_frame_counts_as_lost(self) -> None:
        first, last = frames.encode("o", 0, b"abcdef"), frames.encode("x", 1, b"0")
        for at in range(1, len(first) - 2):
            damaged = first[:at] + bytes([first[at] ^ 1]) + first[at + 1:]
            found, _, lost = decode(damaged + last)
            self.assertNotIn(("o", b"abcdef"), found)
            self.assertEqual((found[-1:], lost), ([("x", b"0")], 1), at)

    def test_missing_bytes_count_as_lost(self) -> None:
        first, last = frames.encode("o", 0, self.payload), frames.encode("x", 1, b"0")
        for at in range(1, len(first) - 2):
            found, _, lost = decode(first[:at] + first[at + 1:] + last)
            self.assertNotIn(("o", self.payload), found)
            self.assertEqual(lost, 1, at)

    def test_missing_frame_counts_as_lost(self) -> None:
        data = frames.encode("o", 0, b"a") + frames.encode("x", 3, b"0")
        self.assertEqual(decode(data)[2], 2)

    def test_start_without_frame(self) -> None:
        found, text, _ = decode(b"\x02never ends" + b"A" * 20000 + b"\n"
                                + frames.encode("h", 0, b""))
        self.assertEqual(found, [("h", b"")])
        self.assertIn(b"A" * 20000, text)

    def test_noise_never_makes_frames(self) -> None:
        noise = random.Random(1)
        data = bytes(noise.choice(b"\x02\x03AZ09+/=(\n") for _ in range(20000))
        self.assertEqual(decode(data)[0], [])


if __name__ == "__main__":
    unittest.main()

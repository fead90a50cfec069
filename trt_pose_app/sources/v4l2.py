"""What a V4L2 device can do, asked of the kernel (linux/videodev2.h)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fcntl import ioctl as kernel_ioctl
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], object]

QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
_CAPTURE, _CAPTURE_MPLANE, _DEVICE_CAPS = 0x1, 0x1000, 0x8000_0000
_DISCRETE = 1
_MOST = 64  # a driver that never says "no more" must not keep us


@dataclass(frozen=True, slots=True)
class Mode:
    """One way a camera delivers pictures: FOURCC, size in px, and the rates in 1/s it lists for them."""

    format: str
    width: int
    height: int
    fps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Capability:
    """What a device says of itself. ``captures`` is False for metadata nodes, codecs and outputs."""

    driver: str
    card: str
    bus: str
    captures: bool
    modes: tuple[Mode, ...]


def query(device: Path, ioctl: Ioctl = kernel_ioctl) -> Capability:
    """Return what ``device`` can do. Raises OSError where it cannot be opened or is no video device.

    Sizes that a driver gives as a range are listed as the largest; the rates are then left empty.
    """
    fd = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = bytearray(104)
        ioctl(fd, QUERYCAP, answer)
        driver, card, bus, _, all_caps, device_caps = struct.unpack_from("=16s32s32sIII", answer)
        caps = device_caps if all_caps & _DEVICE_CAPS else all_caps
        captures = bool(caps & (_CAPTURE | _CAPTURE_MPLANE))
        modes = tuple(_modes(fd, ioctl, 1 if caps & _CAPTURE else 9)) if captures else ()
        return Capability(_text(driver), _text(card), _text(bus), captures, modes)
    finally:
        os.close(fd)


def _modes(fd: int, ioctl: Ioctl, buffer_type: int) -> Iterator[Mode]:
    for form in _enumerate(fd, ioctl, ENUM_FMT, 64, struct.pack("=I", buffer_type)):
        fourcc = form[44:48]
        for size in _enumerate(fd, ioctl, ENUM_FRAMESIZES, 44, fourcc):
            (kind,) = struct.unpack_from("=I", size, 8)
            # A range is min, max, step of the width, then of the height.
            width, height = struct.unpack_from("=II", size, 12) if kind == _DISCRETE else _largest(size)
            rates = []
            for interval in _enumerate(fd, ioctl, ENUM_FRAMEINTERVALS, 52, fourcc + struct.pack("=II", width, height)):
                interval_kind, seconds, parts = struct.unpack_from("=III", interval, 16)
                if interval_kind == _DISCRETE and seconds:
                    rates.append(round(parts / seconds, 3))
            yield Mode(fourcc.decode("ascii", "replace").strip(), width, height, tuple(sorted(rates, reverse=True)))


def _largest(size: bytes) -> tuple[int, int]:
    width, _, _, height = struct.unpack_from("=IIII", size, 16)
    return width, height


def _enumerate(fd: int, ioctl: Ioctl, request: int, n_bytes: int, key: bytes) -> Iterator[bytes]:
    """Yield the answers to one of the numbered requests, whose structs begin with the index and then ``key``."""
    for index in range(_MOST):
        answer = bytearray(n_bytes)
        struct.pack_into("=I", answer, 0, index)
        answer[4 : 4 + len(key)] = key
        try:
            ioctl(fd, request, answer)
        except OSError:  # EINVAL: no more, ENOTTY: the driver does not list them
            return
        yield bytes(answer)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")

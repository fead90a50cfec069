"""The pose message, version 1: the MQTT payload and each JSONL line."""

from __future__ import annotations

import ctypes
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.resources import files
from typing import Any

from trt_pose_app.errors import SinkError
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses, Timings

SCHEMA = "trt-pose/poses/1"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What stays the same for a whole run. ``source`` carries no credentials; ``live`` sources may drop frames.

    ``fps`` is the source's frame rate where known; ``backend`` names the engine, ``model`` is name@sha256[:8], of
    a detector+pose pair both, joined by a plus.
    """

    device: str
    camera: str
    source: str
    boot_id: str
    model: str
    skeleton: Skeleton
    backend: str
    live: bool
    fps: float | None = None


def pose_message(run: RunInfo, frame: Frame, poses: Poses, timings: Timings) -> dict[str, Any]:
    """Return one frame's message, as ``poses.schema.json`` describes it: ready for ``encode``."""
    carried = {"carried": True} if timings.carried else {}
    return {
        "schema": SCHEMA,
        "device": run.device,
        "camera": run.camera,
        "source": frame.source,
        "boot_id": run.boot_id,
        "seq": timings.seq,
        "frame": frame.index,
        "ts": timestamp(frame.wall_s),
        "mono_ns": int(frame.captured_s * 1e9),
        "clock_synced": clock_synced(),
        "pts_s": None if frame.pts_s is None else round(frame.pts_s, 6),
        "dropped": timings.dropped,
        "width": frame.width,
        "height": frame.height,
        "model": run.model,
        "skeleton": poses.skeleton.name,
        "backend": run.backend,
        **carried,
        "latency_ms": {
            "capture": round(timings.capture_ms, 2),
            "preprocess": round(timings.preprocess_ms, 2),
            "infer": round(timings.infer_ms, 2),
            "decode": round(timings.decode_ms, 2),
            "total": round(timings.total_ms, 2),
        },
        "people": poses.to_dict(),
    }


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(message: dict[str, Any]) -> str:
    """Return compact JSON on one line, ASCII only. Raises SinkError for NaN and infinity, which JSON has not."""
    try:
        return _ENCODER.encode(message)
    except ValueError as error:
        raise SinkError(
            "a result holds a number that is not finite", hint="this is a defect of the decoder; please report it"
        ) from error


def timestamp(wall_s: float) -> str:
    """Return seconds since the epoch as UTC in ISO 8601 with microseconds and a Z."""
    return datetime.fromtimestamp(wall_s, timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the message."""
    document: dict[str, Any] = json.loads(files("trt_pose_app").joinpath("poses.schema.json").read_text("utf-8"))
    return document


def boot_id() -> str:
    """Return what tells one start of the program from every other, on this machine or another.

    ``seq`` begins at 0 with each start, so the kernel's id of a boot would not do: after a restart of the service the
    pairs (boot_id, seq) would come again, and a consumer that drops repeats would drop new messages.
    """
    return str(uuid.uuid4())


_TIME_ERROR = 5  # from <sys/timex.h>: the clock is not synchronised
_TIMEX_BYTES = 256  # struct timex has 208; all zero it asks and sets nothing


def clock_synced() -> bool | None:
    """Return whether the kernel holds the wall clock to be synchronised (NTP, PTP), or None where it does not say.

    One system call of 2 us, so it is simply asked anew for every frame.
    """
    ntp_adjtime = _ntp_adjtime()
    state = -1 if ntp_adjtime is None else ntp_adjtime(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


@cache
def _ntp_adjtime() -> Any:
    return getattr(ctypes.CDLL(None), "ntp_adjtime", None)

"""The pose message, version 1: the MQTT payload and each JSONL line."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Frame, Poses, Timings

SCHEMA = "trt-pose/poses/1"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What stays the same for a whole run. ``source`` carries no credentials; ``live`` sources may drop frames.

    ``fps`` is the source's frame rate where known; ``backend`` names the engine, ``model`` is name@sha256[:8].
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



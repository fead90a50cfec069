"""trt_pose's task files (human_pose.json, hand_pose.json): the parts and limbs of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trt_pose_app.errors import ConfigError
from trt_pose_app.skeleton import SKELETONS, Skeleton, flip_by_name

_MAX_BYTES = 1 << 20
_HINT = "a task file has the keypoints and skeleton of a COCO category, as trt_pose's human_pose.json"


def read_task_file(path: Path) -> Skeleton:
    """Return the skeleton of a trt_pose task file; a known one by its own name.

    Its ``skeleton`` counts from 1, and each limb runs from the first part of its pair to the second. Raises
    ConfigError.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is too large for a task file", hint=_HINT)
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the task file {path}: {error.strerror}", hint="check the path") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}", hint=_HINT) from error
    return task_skeleton(content, path.stem)


def task_skeleton(category: Any, name: str) -> Skeleton:
    """Return the skeleton of a COCO category that has been read; ``name`` is the skeleton's unless it is a known one.

    Raises ConfigError.
    """
    try:
        parts = tuple(category["keypoints"])
        limbs = tuple((int(a) - 1, int(b) - 1) for a, b in category["skeleton"])
        if not all(isinstance(part, str) for part in parts):
            raise TypeError("a keypoint's name is no text")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name} is no COCO category: {error!r}", hint=_HINT) from error
    for known in SKELETONS.values():
        if (known.parts, known.limbs) == (parts, limbs):
            return known
    return Skeleton(name, parts, limbs, flip_by_name(parts))

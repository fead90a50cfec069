"""OpenPose's ``--write_json``: one ``<stem>_keypoints.json`` per picture."""

from __future__ import annotations

import json
from pathlib import Path

from trt_pose_app.errors import SinkError
from trt_pose_app.skeleton import OPENPOSE18, Skeleton
from trt_pose_app.types import Frame, Poses, Timings


class OpenPoseSink:
    """Writes into a folder, which is made if absent. Bodies are written in OpenPose's 18-part order.

    Frames of a video are numbered as OpenPose does: ``<stem>_000000000012_keypoints.json``.
    """

    def __init__(self, folder: Path, skeleton: Skeleton) -> None:
        self._folder = folder
        # COCO-17 has no neck, all other parts match: then the neck is missing, as OpenPose writes an unseen part.
        self._target = OPENPOSE18 if (skeleton.mapping_to(OPENPOSE18) >= 0).sum() >= 17 else skeleton
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"cannot make the folder {folder}: {error.strerror}", hint="choose another -o") from error

    def emit(self, frame: Frame, poses: Poses, timings: Timings) -> None:
        """Write one picture's file, atomically. Raises SinkError."""
        stem = Path(frame.source).stem
        name = f"{stem}_keypoints.json" if frame.pts_s is None else f"{stem}_{frame.index:012d}_keypoints.json"
        path = self._folder / name
        part = path.with_name(f"{name}.part")
        try:
            part.write_text(json.dumps(poses.to_skeleton(self._target).to_openpose_json()), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise SinkError(f"cannot write {path}: {error.strerror}", hint="check the path and the disk") from error

    def close(self) -> None:
        """Nothing to flush."""

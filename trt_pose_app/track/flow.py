"""Frames between two inferences: people carried along by optical flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.config.schema import GapConfig
from trt_pose_app.geometry import Size
from trt_pose_app.opencv import opencv
from trt_pose_app.track.moved_box import moved_boxes
from trt_pose_app.types import Poses

_WINDOW = (15, 15)  # px of the grey picture: smaller loses more points, larger mixes in what lies behind a person
_LEVELS = 3  # of the pyramid: together with the window, motion of about 60 px of the grey picture is followed
_MOST_LOST = 0.5  # of a person's keypoints; with more of them lost nobody knows where the person is


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """Where people went: ``poses`` has those who are still in the picture, ``rows`` says who they were before."""

    poses: Poses
    rows: NDArray[np.intp]


class OpticalFlow:
    """Carries the people of one frame to the next ones by pyramidal Lucas-Kanade flow of a small grey picture.

    Each keypoint is followed forward and back again; one that does not return to within ``flow_error_px`` of where it
    came from, or that leaves the picture, is missing from then on. Missing keypoints stay missing, none is invented.
    All keypoints of all people go through one call per direction. Deterministic.
    """

    def __init__(self, params: GapConfig) -> None:
        self._cv2 = opencv()
        self._params = params
        self._grey: NDArray[np.uint8] | None = None
        self._frame_size: Size = (0, 0)
        self._poses: Poses | None = None
        # Of each person, how many keypoints were in the picture at the start, and how many of those were lost since.
        self._started: NDArray[np.intp] = np.empty(0, np.intp)
        self._lost: NDArray[np.intp] = np.empty(0, np.intp)

    def grey(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the small grey picture of an (H, W, 3) BGR uint8 one. May be called from any thread."""
        height, width = image.shape[:2]
        scale = min(1.0, self._params.flow_side_px / max(width, height))
        if scale < 1:
            image = self._cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        return self._cv2.cvtColor(image, self._cv2.COLOR_BGR2GRAY)  # type: ignore[no-any-return]

    def start(self, poses: Poses, grey: NDArray[np.uint8], frame_size: Size) -> None:
        """Begin with the people a network found in a frame of (width, height) whose small picture is ``grey``."""
        self._poses, self._grey, self._frame_size = poses, grey, frame_size
        self._started = self._inside(poses.xy).sum(axis=1)
        self._lost = np.zeros_like(self._started)

    def carry(self, grey: NDArray[np.uint8]) -> Carried | None:
        """Return the people in the next frame, or None if too many of somebody's keypoints were lost.

        None also before ``start`` and for a picture of another size. Then a network has to look, and ``start`` follows.
        """
        poses, before = self._poses, self._grey
        if poses is None or before is None or before.shape != grey.shape:
            return None
        inside = self._inside(poses.xy)
        moved, followed, left = self._follow(poses.xy[inside], before, grey)
        xy = np.full_like(poses.xy, np.nan)
        xy[inside] = np.where(followed[:, None], moved, np.float32(np.nan))
        failed = np.zeros(inside.shape, bool)
        failed[inside] = ~followed & ~left
        self._lost += failed.sum(axis=1)
        if (self._lost > _MOST_LOST * self._started).any():
            return None
        fading = np.float32(self._params.score_decay)
        score = np.where(np.isnan(xy[..., 0]), np.float32(0), poses.score * fading)
        seen = score > 0
        xy[~seen] = np.nan
        (rows,) = np.nonzero(seen.any(axis=1))
        box = moved_boxes(poses.box, poses.xy, xy)
        carried = Poses.trusted(
            xy[rows], score[rows], poses.person[rows] * fading, box[rows], poses.track[rows], poses.skeleton
        )
        self._poses, self._grey = carried, grey
        self._started, self._lost = self._started[rows], self._lost[rows]
        return Carried(carried, rows)

    def _inside(self, xy: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which of the points (..., 2) in px of the frame lie in it: False for NaN."""
        inside = (xy >= -0.5) & (xy <= np.array(self._frame_size) - 0.5)
        return inside[..., 0] & inside[..., 1]

    def _follow(
        self, xy: NDArray[np.float32], before: NDArray[np.uint8], after: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where points (P, 2) px of the frame went, which were followed, and which left the picture: (P,)."""
        if not len(xy):
            return xy, np.zeros(0, bool), np.zeros(0, bool)
        # Pixel centres are at integers in both pictures, so their corners coincide, not their origins.
        scale = (np.array(before.shape[::-1]) / self._frame_size).astype(np.float32)
        points = ((xy + 0.5) * scale - 0.5).astype(np.float32)[:, None]
        flow = self._cv2.calcOpticalFlowPyrLK
        forth, found, _ = flow(before, after, points, None, winSize=_WINDOW, maxLevel=_LEVELS)
        back, found_again, _ = flow(after, before, forth, None, winSize=_WINDOW, maxLevel=_LEVELS)
        error_px = np.hypot(*(back - points)[:, 0].T)
        moved = ((forth[:, 0] + 0.5) / scale - 0.5).astype(np.float32)
        inside = self._inside(moved)
        sure = (found & found_again)[:, 0] == 1
        followed = sure & (error_px <= self._params.flow_error_px) & inside
        # At the edge half of what a point is known by leaves before the point itself does.
        start = points[:, 0]
        at_edge = ((start < _WINDOW) | (start > np.array(before.shape[::-1]) - _WINDOW)).any(axis=1)
        return moved, followed, ~inside | (~followed & at_edge)

"""Landmarks and styles to draw, for this package and for MediaPipe alike.

    VENV/bin/python -m tests.compat.drawing_cases

with mediapipe 0.10.21 in VENV draws them with MediaPipe and stores what the tests compare with: a hash of each
picture, and one picture whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
HASHES = DATA / "mediapipe_0.10.21_drawings.json"
WHOLE = "pose_style"
PICTURE = DATA / f"mediapipe_0.10.21_{WHOLE}.png"
WIDTH, HEIGHT = 200, 150


def canvas() -> np.ndarray:
    """Return a picture of soft stripes, so that every pixel drawn differs from some of its neighbours."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([(x // 16) * 8, (y // 16) * 12, ((x + y) // 32) * 10], axis=2).astype(np.uint8)


def person(pb: Any, seed: int, low: float = 0.05, high: float = 0.95, visibility: float | None = None) -> Any:
    """Return 33 landmarks at places drawn by lot; without ``visibility`` theirs are drawn too."""
    rng = np.random.default_rng(seed)
    points = pb.NormalizedLandmarkList()
    for x, y, v in rng.uniform(0, 1, (33, 3)):
        x, y = low + (high - low) * x, low + (high - low) * y
        points.landmark.add(x=x, y=y, z=0.0, visibility=v if visibility is None else visibility)
    return points


def edges(pb: Any) -> Any:
    """Return landmarks on the picture's edges, just outside, and with every state of visibility and presence."""
    points = pb.NormalizedLandmarkList()
    nearly = np.nextafter(np.float32(1), np.float32(2))
    for x, y in ((0, 0), (1, 1), (0.5, 1), (1, 0.25), (-1e-12, 0.5), (nearly, 0.75), (-0.01, 0.1), (1.01, 0.2)):
        points.landmark.add(x=float(x), y=float(y))
    points.landmark.add(x=0.2, y=0.2, visibility=0.5)
    points.landmark.add(x=0.3, y=0.2, visibility=0.4999)
    points.landmark.add(x=0.4, y=0.2, presence=0.5)
    points.landmark.add(x=0.5, y=0.2, presence=0.4999)
    points.landmark.add(x=0.6, y=0.2, visibility=0.9, presence=0.1)
    points.landmark.add(x=0.7, y=0.2, visibility=0.0)
    points.landmark.add(x=0.8, y=0.2)
    return points


def draw_all(mp: Any, pb: Any) -> dict[str, np.ndarray]:
    """Return the pictures of all cases by name, drawn by ``mp`` from messages of ``pb``."""
    utils, styles = mp.solutions.drawing_utils, mp.solutions.drawing_styles
    lines = mp.solutions.pose.POSE_CONNECTIONS
    spec = utils.DrawingSpec
    by_line = {line: spec(color=(7 * line[0], 5 * line[1], 90), thickness=1 + line[0] % 4) for line in lines}

    def draw(points: Any, *arguments: Any, **options: Any) -> Callable[[np.ndarray], None]:
        return lambda image: utils.draw_landmarks(image, points, *arguments, **options)

    cases = {
        "default": draw(person(pb, 1, visibility=0.9), lines),
        "pose_style": draw(
            person(pb, 2, visibility=0.9),
            lines,
            landmark_drawing_spec=styles.get_default_pose_landmarks_style(),
        ),
        "no_connections": draw(person(pb, 3, visibility=0.9)),
        "some_hidden": draw(person(pb, 4), lines, styles.get_default_pose_landmarks_style()),
        "partly_outside": draw(person(pb, 5, -0.3, 1.3, 1.0), lines),
        "edges": draw(edges(pb), [(i, i + 1) for i in range(14)]),
        "own_specs": draw(
            person(pb, 6, visibility=0.9),
            lines,
            spec(color=(245, 117, 66), thickness=3, circle_radius=5),
            spec(color=(245, 66, 230), thickness=4, circle_radius=7),
        ),
        "filled_circles": draw(person(pb, 7, visibility=0.9), None, spec(thickness=-1, circle_radius=8)),
        # In one order: where lines of two colours cross, the later one shows.
        "by_connection": draw(person(pb, 8, visibility=0.9), sorted(lines), connection_drawing_spec=by_line),
        "lines_only": draw(person(pb, 9, visibility=0.9), lines, is_drawing_landmarks=False),
        "no_landmark_spec": draw(person(pb, 10, visibility=0.9), lines, landmark_drawing_spec=None),
        "nobody": draw(None, lines),
        "empty_list": draw(pb.NormalizedLandmarkList(), ()),
    }
    pictures = {}
    for name, paint in cases.items():
        pictures[name] = canvas()
        paint(pictures[name])
    return pictures


def hashes(pictures: dict[str, np.ndarray]) -> dict[str, str]:
    """Return the sha256 of each picture's pixels."""
    return {name: hashlib.sha256(picture.tobytes()).hexdigest() for name, picture in pictures.items()}


if __name__ == "__main__":
    import cv2
    import mediapipe
    from mediapipe.framework.formats import landmark_pb2

    drawn = draw_all(mediapipe, landmark_pb2)
    HASHES.write_text(json.dumps(hashes(drawn), indent=2) + "\n")
    cv2.imwrite(str(PICTURE), drawn[WHOLE])

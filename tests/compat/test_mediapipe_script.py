"""A webcam program for MediaPipe's pose, unmodified but for its import, on a video file made here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SAMPLE = Path(__file__).parents[2] / "scripts/sample/people.jpg"

# As MediaPipe's guide shows its use, the camera replaced by a file and the window by a video.
PROGRAM = """
import sys
import cv2
import numpy as np
from trt_pose_app.compat import mediapipe as mp
mp_drawing = mp.solutions.drawing_utils
mp_drawing_styles = mp.solutions.drawing_styles
mp_pose = mp.solutions.pose

cap = cv2.VideoCapture(sys.argv[1])
out = cv2.VideoWriter(sys.argv[2], cv2.VideoWriter_fourcc(*'MJPG'), 15, (640, 480))


def calculate_angle(a, b, c):
    a, b, c = np.array(a), np.array(b), np.array(c)
    radians = np.arctan2(c[1] - b[1], c[0] - b[0]) - np.arctan2(a[1] - b[1], a[0] - b[0])
    angle = np.abs(radians * 180.0 / np.pi)
    return 360 - angle if angle > 180 else angle


with mp_pose.Pose(
        min_detection_confidence=0.5,
        min_tracking_confidence=0.5) as pose:
    while cap.isOpened():
        success, image = cap.read()
        if not success:
            break
        # To improve performance, optionally mark the image as not writeable to pass by reference.
        image.flags.writeable = False
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        results = pose.process(image)

        image.flags.writeable = True
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        mp_drawing.draw_landmarks(
            image,
            results.pose_landmarks,
            mp_pose.POSE_CONNECTIONS,
            landmark_drawing_spec=mp_drawing_styles.get_default_pose_landmarks_style())
        try:
            landmarks = results.pose_landmarks.landmark
            shoulder = [landmarks[mp_pose.PoseLandmark.LEFT_SHOULDER.value].x,
                        landmarks[mp_pose.PoseLandmark.LEFT_SHOULDER.value].y]
            elbow = [landmarks[mp_pose.PoseLandmark.LEFT_ELBOW.value].x,
                     landmarks[mp_pose.PoseLandmark.LEFT_ELBOW.value].y]
            wrist = [landmarks[mp_pose.PoseLandmark.LEFT_WRIST.value].x,
                     landmarks[mp_pose.PoseLandmark.LEFT_WRIST.value].y]
            angle = calculate_angle(shoulder, elbow, wrist)
            nose = landmarks[mp_pose.PoseLandmark.NOSE]
            print(int(nose.x * image.shape[1]), int(nose.y * image.shape[0]), round(angle))
        except AttributeError:
            print('nobody')
        # Flip the image horizontally for a selfie-view display.
        out.write(cv2.flip(image, 1))
cap.release()
out.release()
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 640x480: nobody, then a slow pan over the sample picture."""
    path = tmp_path_factory.mktemp("clip") / "webcam.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 15, (640, 480))
    assert writer.isOpened()
    for _ in range(3):
        writer.write(np.full((480, 640, 3), 90, np.uint8))
    picture = cv2.imread(str(SAMPLE))
    scale = 480 / picture.shape[0]
    picture = cv2.resize(picture, (max(700, round(picture.shape[1] * scale)), 480))
    for step in range(12):
        writer.write(picture[:, 2 * step : 2 * step + 640])
    writer.release()
    return path


def test_webcam_program(clip: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRT_POSE_MODELS"} | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(clip), str(tmp_path / "out.avi")],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == ["nobody"] * 3
    seen = np.array([[int(word) for word in line.split()] for line in lines[3:] if line != "nobody"])
    assert len(lines) == 15
    assert len(seen) >= 11
    assert (np.abs(np.diff(seen[:, :2], axis=0)) < 12).all()  # the nose goes smoothly
    written = cv2.VideoCapture(str(tmp_path / "out.avi"))
    pictures = [written.read()[1] for _ in range(15)]
    assert np.ptp(pictures[0]) < 10  # nobody, nothing drawn
    assert (np.abs(pictures[-1].astype(int) - (0, 138, 255)).max(axis=2) < 60).any()  # orange: a left side was drawn

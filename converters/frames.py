"""Pictures for calibration and for comparing a network with its conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import ConfigError
from trt_pose_app.sources import open_source
from trt_pose_app.sources.images import IMAGE_SUFFIXES
from trt_pose_app.sources.natural import natural_key

Picture = NDArray[np.uint8]

_PACKAGE = Path(__file__).parent
# The wheel carries the picture inside the package; in a checkout it is the demo's.
_SAMPLES = (_PACKAGE / "sample/people.jpg", _PACKAGE.parent / "scripts/sample/people.jpg")


def calibration_frames(path: Path | None, count: int) -> list[Picture]:
    """Return at most ``count`` pictures (H, W, 3) uint8 BGR, evenly spread over a folder or video.

    Without a path they are ``count`` views of the project's sample picture: near and far, mirrored, dark and bright.
    Good for a comparison; to calibrate int8, give pictures of the place where the network will work.
    Raises ConfigError for a path without pictures, SourceError for a video that cannot be read.
    """
    if count < 1:
        raise ConfigError(f"{count} frames cannot be compared", hint="use --frames 1 or more")
    if path is None:
        return _sample_views(count)
    if not path.exists():
        raise ConfigError(f"there is no {path}", hint="name a folder of pictures, a picture or a video")
    frames = _from_folder(path, count) if path.is_dir() else _from_file(path, count)
    if not frames:
        raise ConfigError(f"{path} holds no picture that can be read", hint="give JPEG or PNG pictures, or a video")
    return frames


def _from_folder(folder: Path, count: int) -> list[Picture]:
    files = sorted((file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
    chosen = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
    return [frame for i in chosen for frame in _from_file(files[i], 1)]


def _from_file(file: Path, count: int) -> list[Picture]:
    frames: list[Picture] = []
    with open_source(str(file)) as source:
        total = source.info.frames
        wanted = None if total is None or total <= count else set(np.linspace(0, total - 1, count).round().astype(int))
        for index, frame in enumerate(source):
            if wanted is None or index in wanted:
                frames.append(frame.image)
            if len(frames) == count:
                break
    return frames


def _sample_views(count: int) -> list[Picture]:
    import cv2

    file = next((sample for sample in _SAMPLES if sample.is_file()), None)
    picture = None if file is None else cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise ConfigError("the sample picture is missing", hint="name pictures of your own with --calibration")
    height, width = picture.shape[:2]
    rng = np.random.default_rng(4)
    views = [picture]
    while len(views) < count:
        zoom, brightness = rng.uniform(0.6, 1.8), rng.uniform(0.6, 1.3)
        centre = rng.uniform(0.3, 0.7, 2) * (width, height)
        matrix = np.array([[zoom, 0, width / 2 - zoom * centre[0]], [0, zoom, height / 2 - zoom * centre[1]]])
        view = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        if rng.random() < 0.5:
            view = view[:, ::-1]
        views.append(np.clip(view * brightness, 0, 255).astype(np.uint8))
    return views[:count]

"""Make the demo's clip and picture from photographs of people in scikit-image that anyone may use.

    python scripts/make_sample.py scripts/sample

`data.astronaut` is NASA's portrait of Eileen Collins (public domain), `data.camera` the cameraman by Lav Varshney
(CC0). The clip pans over both side by side, slowly enough for a person to be followed. Needs scikit-image and PyAV.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from skimage import data

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 15, 60


def scene() -> np.ndarray:
    """Return both photographs side by side, (512, 1024, 3) BGR."""
    astronaut = data.astronaut()[:, :, ::-1]
    cameraman = cv2.cvtColor(data.camera(), cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(np.hstack([astronaut, cameraman]))


def view(picture: np.ndarray, t: float) -> np.ndarray:
    """Return what the moving camera sees at ``t`` in [0, 1]: from one person over both to the other."""
    height, width = picture.shape[:2]
    zoom = 1.0 - 0.35 * np.sin(np.pi * t)  # far in the middle, where both are in view
    scale = HEIGHT / height * zoom
    centre_x = WIDTH / 2 / scale + t * (width - WIDTH / scale) if WIDTH / scale < width else width / 2
    matrix = np.array([[scale, 0, WIDTH / 2 - scale * centre_x], [0, scale, HEIGHT / 2 - scale * height / 2]])
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderValue=(64, 64, 64))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = scene()
    cv2.imwrite(str(folder / "people.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    with av.open(str(folder / "people.mp4"), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "26", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(view(picture, index / (FRAMES - 1)), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "scripts/sample"))

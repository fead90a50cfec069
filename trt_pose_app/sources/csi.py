"""CSI cameras of a Jetson, by NVIDIA's GStreamer source."""

from __future__ import annotations

from fractions import Fraction

from trt_pose_app.config.schema import SourceConfig

# nvvidconv's own numbers; it flips on the video converter for free.
_FLIP_METHODS = {"none": 0, "rotate-180": 2, "horizontal": 4, "vertical": 6}


def csi_pipeline(sensor_id: int, config: SourceConfig) -> str:
    """Return the GStreamer pipeline for one sensor that ends in BGR frames, newest only.

    1280 x 720 at 30 fps unless the configuration says otherwise; the camera daemon picks the sensor mode for that.
    """
    width, height = config.width or 1280, config.height or 720
    rate = Fraction(config.fps or 30).limit_denominator(1001)
    return " ! ".join(
        (
            f"nvarguscamerasrc sensor-id={sensor_id}",
            f"video/x-raw(memory:NVMM), width=(int){width}, height=(int){height}, "
            f"framerate=(fraction){rate.numerator}/{rate.denominator}",
            f"nvvidconv flip-method={_FLIP_METHODS[config.flip]}",
            "video/x-raw, format=(string)BGRx",
            "videoconvert",
            "video/x-raw, format=(string)BGR",
            "appsink drop=true max-buffers=1 sync=false",
        )
    )

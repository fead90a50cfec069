"""Boxes to crops: mmpose's geometry and pixels, both implementations, every kind of input, odd boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trt_pose_app.estimators import crop
from trt_pose_app.estimators.crop import Cropper, Crops, sound
from trt_pose_app.geometry import Geometry
from trt_pose_app.models.spec import InputSpec

NATIVE = pytest.param(True, marks=pytest.mark.skipif(crop.cut_crops is None, reason="the extension is not built"))
GREY_LEVELS = 0.51  # OpenCV rounds, C++ does not


@pytest.fixture(params=[NATIVE, pytest.param(False)], ids=lambda native: "native" if native else "opencv")
def native(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def spec(**changes: Any) -> InputSpec:
    return InputSpec.model_validate({"name": "x", "width": 24, "height": 32, "colour": "bgr", **changes})


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def cut(native: bool, image: np.ndarray, boxes: Any, **changes: Any) -> np.ndarray:
    cropper = Cropper(spec(**changes), native=native)
    assert cropper.native == native or changes
    crops = Crops.around(np.array(boxes, np.float32), cropper.size, 1.25)
    rows = cropper.buffer(len(boxes))
    cropper.cut(image, crops, rows)
    return rows


@pytest.mark.shared
def test_the_stored_crops_of_mmpose(shared: Path, native: bool) -> None:
    with np.load(shared / "golden/rtmpose/crops_synth.npz") as stored:
        image, boxes, expected, warp = (stored[n] for n in ("image_bgr", "bbox", "crop", "warp"))
    crops = Crops.around(boxes, (192, 256), 1.25)
    np.testing.assert_allclose(crops.scale, warp[:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(crops.shift, warp[:, :, 2], rtol=1e-5, atol=1e-4)
    found = cut(native, image, boxes, width=192, height=256)
    # Different releases of OpenCV differ by up to 5 levels themselves.
    assert np.abs(found.transpose(0, 2, 3, 1) - expected).max() <= 5
    assert np.abs(found.transpose(0, 2, 3, 1) - expected).mean() <= 0.5


@given(left=st.floats(-60, 120), top=st.floats(-60, 90), width=st.floats(2, 200), height=st.floats(2, 200))
@settings(max_examples=60, deadline=None)
@pytest.mark.skipif(crop.cut_crops is None, reason="the extension is not built")
def test_both_implementations_agree_wherever_a_box_lies(left: float, top: float, width: float, height: float) -> None:
    image = np.ascontiguousarray(np.repeat(np.repeat(noise(10, 12), 8, 0), 8, 1))
    box = [[left, top, left + width, top + height]]
    one, other = (cut(native, image, box, padding_value=114) for native in (True, False))
    # At a hard edge a hundredth of a pixel is several levels; OpenCV places pixels in its own precision.
    assert np.abs(one - other).mean() <= 0.3
    assert np.quantile(np.abs(one - other), 0.98) <= 3


def test_a_crop_at_scale_one_is_the_picture(native: bool) -> None:
    image = noise(40, 30)
    # Centre to centre: pixel (12, 16) of the crop is pixel (15, 20) of the picture.
    found = cut(native, image, [[15 - 9.6, 20 - 12.8, 15 + 9.6, 20 + 12.8]])
    np.testing.assert_allclose(found[0].transpose(1, 2, 0), image[4:36, 3:27], atol=0.01 if native else GREY_LEVELS)


def test_what_lies_beyond_the_picture_is_the_border(native: bool) -> None:
    found = cut(native, noise(20, 20), [[100, 100, 120, 130], [-90, -90, -60, -60]], padding_value=114)
    assert (found == 114).all()


def test_colour_order_mean_and_deviation_are_the_spec_s(native: bool) -> None:
    image = np.empty((64, 64, 3), np.uint8)
    image[:] = (10, 20, 30)
    found = cut(native, image, [[20, 20, 40, 40]], colour="rgb", mean=(1, 2, 3), std=(2, 4, 8))
    middle = found[0, :, 16, 12]
    np.testing.assert_allclose(middle, [(30 - 1) / 2, (20 - 2) / 4, (10 - 3) / 8], atol=1e-4)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_every_kind_of_input(layout: str, dtype: str) -> None:
    image = noise(64, 64)
    rows = cut(False, image, [[10, 10, 40, 50]], layout=layout, dtype=dtype)
    assert rows.dtype == dtype
    planar = rows if layout == "nchw" else rows.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(planar, cut(False, image, [[10, 10, 40, 50]]), atol=0.5)


def test_a_view_of_a_picture_is_cut_as_its_copy(native: bool) -> None:
    image = noise(64, 64)[:, ::-1]
    box = [[10, 10, 40, 50]]
    np.testing.assert_array_equal(cut(native, image, box), cut(native, image.copy(), box))


def test_all_boxes_at_once_are_what_each_is_alone() -> None:
    boxes = np.array([[10, 20, 60, 80], [0, 0, 200, 20], [-5.5, 3.25, 7, 300]], np.float32)
    crops = Crops.around(boxes, (192, 256), 1.25)
    for i, box in enumerate(boxes):
        alone = Geometry.affine_crop((640, 480), tuple(box.tolist()), (192, 256))
        np.testing.assert_allclose([crops.scale[i], *crops.shift[i]], alone.matrix[[0, 0, 1], [0, 2, 2]], rtol=1e-5)
    corners = boxes.reshape(3, 2, 2)
    inside = corners * crops.scale[:, None, None] + crops.shift[:, None]
    np.testing.assert_allclose(crops.to_frame(inside), corners, atol=1e-3)


@pytest.mark.parametrize(
    ("box", "good"),
    [
        ((0, 0, 10, 10), True),
        ((-50, -50, 5, 5), True),
        ((0, 0, 0, 10), False),
        ((10, 0, 5, 10), False),
        ((0, 0, np.nan, 10), False),
        ((0, 0, np.inf, 10), False),
        ((0, 0, 3e6, 10), False),
        ((0, 0, 1e-4, 1e-4), False),
    ],
)
def test_which_boxes_can_be_cut(box: tuple[float, ...], good: bool) -> None:
    assert sound(np.array([box], np.float32)).tolist() == [good]


@pytest.mark.parametrize("box", [(-1e6, -1e6, 1e6, 1e6), (5, 5, 5.01, 5.02), (-1e6, 0, 1e6, 1), (1e6 - 1, 0, 1e6, 1)])
def test_extreme_boxes_that_can_be_cut_are(native: bool, box: tuple[float, ...]) -> None:
    boxes = np.array([box], np.float32)
    assert sound(boxes).all()
    assert np.isfinite(cut(native, noise(20, 30), boxes)).all()

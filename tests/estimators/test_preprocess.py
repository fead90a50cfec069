"""The network's input is what its spec says, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from trt_pose_app.errors import ConfigError
from trt_pose_app.estimators import parse_size
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.models.spec import InputSpec


def spec(**fields: object) -> InputSpec:
    return InputSpec.model_validate({"name": "x", "width": 32, "height": 16, "colour": "bgr", **fields})


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)


def test_bgr_planes_in_pixel_values(image: np.ndarray) -> None:
    tensor, _ = Preprocessor(spec())(image)
    assert tensor.shape == (1, 3, 16, 32)
    assert np.array_equal(tensor[0], image.transpose(2, 0, 1).astype(np.float32))


def test_rgb_mean_and_std_follow_the_colour_order(image: np.ndarray) -> None:
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    tensor, _ = Preprocessor(spec(colour="rgb", mean=mean, std=std))(image)
    expected = (image[:, :, ::-1] - np.array(mean)) / np.array(std)
    assert np.allclose(tensor[0], expected.transpose(2, 0, 1), atol=1e-5)


@pytest.mark.parametrize("colour", ["bgr", "rgb"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_every_layout_and_dtype_holds_the_same_picture(image, colour, layout, dtype) -> None:  # type: ignore[no-untyped-def]
    tensor, _ = Preprocessor(spec(colour=colour, layout=layout, dtype=dtype))(image)
    assert tensor.dtype == dtype
    assert tensor.flags.c_contiguous
    picture = tensor[0] if layout == "nhwc" else tensor[0].transpose(1, 2, 0)
    assert np.array_equal(picture, image if colour == "bgr" else image[:, :, ::-1])


@pytest.mark.parametrize("resize", ["letterbox", "letterbox-top-left", "stretch", "affine-crop"])
def test_the_geometry_says_where_a_bright_spot_went(resize: str) -> None:
    image = np.zeros((120, 80, 3), np.uint8)
    image[60:72, 20:32] = 255  # centre (25.5, 65.5)
    tensor, geometry = Preprocessor(spec(width=192, height=96, resize=resize))(image)
    y, x = np.nonzero(tensor[0, 0] > 127)
    assert np.allclose(geometry.to_frame(np.array([x.mean(), y.mean()])), [25.5, 65.5], atol=0.75)


def test_padding_takes_the_spec_s_value() -> None:
    tensor, _ = Preprocessor(spec(padding_value=114))(np.zeros((16, 16, 3), np.uint8))
    assert (tensor[0, :, :, :8] == 114).all()
    assert (tensor[0, :, :, 8:24] == 0).all()


@pytest.mark.parametrize(
    ("text", "frame", "expected"),
    [
        (None, (640, 480), (32, 16)),
        ("256", (640, 480), (344, 256)),  # 341.3 rounded up to the stride
        ("256", (480, 640), (192, 256)),
        ("256x512", (640, 480), (512, 256)),  # height x width
    ],
)
def test_input_size(text: str | None, frame: tuple[int, int], expected: tuple[int, int]) -> None:
    assert Preprocessor(spec(multiple_of=8), parse_size(text)).geometry(frame).input_size == expected


@pytest.mark.parametrize(("text", "better"), [("250", "248"), ("256x100", "256x96"), ("0", "8"), ("100000", "8192")])
def test_a_size_the_network_cannot_take_is_refused_with_the_nearest(text: str, better: str) -> None:
    with pytest.raises(ConfigError, match=f"such as {better}\\)"):
        Preprocessor(spec(multiple_of=8), parse_size(text))

"""`RTMPoseWrapper` and `RTMPoseStream` on scripted and real networks, with and without CUDA."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.estimators.scripted import write_detector, write_pose
from trt_pose_app.body import measure
from trt_pose_app.compat.rtmpose_wrapper import DETECTOR, PoseLandmark, RTMPoseStream, RTMPoseWrapper
from trt_pose_app.errors import ConfigError, ModelNotFoundError, SourceError, TrtPoseError

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "scripts/sample/people.mp4"


@pytest.fixture
def frames() -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(CLIP))
    return [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(12)]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scripted pose network and a detector of the default's name, searched first."""
    write_detector(tmp_path, [(20, 10, 60, 90, 0.9), (70, 20, 110, 90, 0.6)], DETECTOR)
    write_pose(tmp_path)
    monkeypatch.setenv("TRT_POSE_MODELS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("gap", [1, 4])
def test_one_persons_landmarks(gap: int, frames: list[np.ndarray]) -> None:
    with RTMPoseWrapper(checkpoint="pose-nano", device="cpu", inference_gap=gap) as wrapper:
        results = [wrapper.process(frame) for frame in frames]
        body = measure(wrapper.poses(frames[-1]))
    noses = []
    for result in results:
        assert result["pose_landmarks"] is result.pose_landmarks
        assert result["pose_landmarks"].landmark[PoseLandmark.LEFT_SHOULDER].visibility > 0.3
        noses.append(result.pose_landmarks.landmark[PoseLandmark.NOSE].x)
    assert np.abs(np.diff(noses)).max() < 0.03
    assert body.shoulder_width_px[0] > 50


def test_with_a_gap_networks_run_on_every_nth_picture(frames: list[np.ndarray]) -> None:
    with RTMPoseWrapper(checkpoint="pose-nano", device="cpu", inference_gap=4) as wrapper:
        engine, runs = wrapper._person.estimator.engine, 0
        infer = engine.infer

        def counted(feeds: object) -> object:
            nonlocal runs
            runs += 1
            return infer(feeds)  # type: ignore[arg-type]

        engine.infer = counted  # type: ignore[method-assign, assignment]
        for frame in frames:
            wrapper.process(frame)
    assert 3 <= runs <= 5  # of 12, and where flow lost the person


def test_nobody_and_bad_pictures() -> None:
    with RTMPoseWrapper(checkpoint="pose-nano", device="cpu") as wrapper:
        result = wrapper.process(np.zeros((64, 96, 3), np.uint8))
        assert result["pose_landmarks"] is result.pose_landmarks is None
        with pytest.raises(AttributeError, match="NoneType"):
            wrapper.process(None)  # type: ignore[arg-type]
    wrapper.close()


@pytest.mark.parametrize("name", ["pose", "pose.onnx", f"{DETECTOR}+pose"])
def test_a_pose_network_alone_gets_the_detector(name: str, models: Path, frames: list[np.ndarray]) -> None:
    checkpoint = models / name if name.endswith(".onnx") else name
    with RTMPoseWrapper(checkpoint=checkpoint, device="cpu", inference_gap=1) as wrapper:
        assert wrapper.poses(frames[0]).skeleton.name == "coco17"


def test_model_config_is_the_spec_of_a_network_without_one(models: Path, frames: list[np.ndarray]) -> None:
    shutil.move(models / "pose.toml", models / "spec-elsewhere.toml")
    with pytest.raises(TrtPoseError, match="nothing says how to use"):
        RTMPoseWrapper(checkpoint="pose", device="cpu")
    with RTMPoseWrapper(models / "spec-elsewhere.toml", "pose", "cpu", 1) as wrapper:
        assert wrapper.poses(frames[0]).skeleton.name == "coco17"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"device": "gpu"}, "no device 'gpu'", "cpu, cuda or cuda:0"),
        ({"device": "cuda:1"}, "cuda:1 cannot be chosen", "CUDA_VISIBLE_DEVICES=1"),
        ({"inference_gap": 0, "device": "cpu"}, "gap of 0", "every frame"),
        ({"checkpoint": "rtmpose.pth", "device": "cpu"}, "no network file", ""),
        ({"checkpoint": "no-such-model", "device": "cpu"}, "no-such-model", "models list"),
    ],
    ids=lambda value: "" if not isinstance(value, dict) else "-".join(map(str, value.values())),
)
def test_arguments_that_cannot_be(arguments: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises((ConfigError, ModelNotFoundError), match=message) as caught:
        RTMPoseWrapper(**arguments)  # type: ignore[arg-type]
    assert hint in caught.value.hint


def has_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.mark.skipif(has_cuda(), reason="this ONNX Runtime has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_without_cuda_the_cpu_takes_over_and_says_why(device: str, frames: list[np.ndarray]) -> None:
    with pytest.warns(RuntimeWarning, match=f"CPU instead of {device}: .*no cuda provider") as caught:
        wrapper = RTMPoseWrapper(checkpoint="pose-nano", device=device)
    assert caught[0].filename == __file__
    with wrapper:
        assert wrapper.device == "cpu"
        assert wrapper.process(frames[0]).pose_landmarks


def test_stream_of_a_file() -> None:
    with RTMPoseStream(str(CLIP), device="cpu", checkpoint="pose-nano") as stream:
        frame, keypoints, scores = stream.read()
        assert frame is not None
        assert (frame.shape, frame.dtype, frame.flags.writeable) == ((480, 640, 3), np.uint8, True)
        assert keypoints.shape == (len(scores), 18, 2)
        np.testing.assert_array_equal(np.isnan(keypoints[..., 0]), scores == 0)
        people = [len(keypoints) for _, keypoints, _ in stream]
        assert len(people) == 59
        assert max(people) == 2
        frame, keypoints, scores = stream.read()
        assert (frame, keypoints.shape, scores.shape) == (None, (0, 18, 2), (0, 18))
    stream.release()


def test_stream_of_no_camera(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, SourceError)):
        RTMPoseStream(str(tmp_path / "none.mp4"), device="cpu", checkpoint="pose-nano")

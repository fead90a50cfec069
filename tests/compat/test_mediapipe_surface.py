"""The names, arguments, results and errors of MediaPipe 0.10.21's pose solution."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from trt_pose_app.compat import mediapipe as mp
from trt_pose_app.compat.mediapipe import model_choice
from trt_pose_app.compat.mediapipe.errors import BadValueError
from trt_pose_app.compat.mediapipe.framework.formats import landmark_pb2
from trt_pose_app.compat.mediapipe.solutions import drawing_styles, drawing_utils, pose
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ConfigError, ModelNotFoundError, TrtPoseError
from trt_pose_app.estimators import PRESETS

SAMPLE = Path(__file__).parents[2] / "scripts/sample/people.jpg"
ONE_THREAD = ModelConfig(threads=1)
EMPTY = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(SAMPLE)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def estimator() -> Iterator[pose.Pose]:
    with pose.Pose(static_image_mode=True, model="pose-nano", config=ONE_THREAD) as opened:
        yield opened


def test_modules() -> None:
    import trt_pose_app.compat.mediapipe as same

    assert same is mp
    assert mp.solutions.pose is pose
    assert mp.solutions.drawing_utils is drawing_utils
    assert mp.solutions.drawing_styles is drawing_styles
    assert mp.__version__ == "0.10.21"
    assert {"Pose", "PoseLandmark", "POSE_CONNECTIONS"} == set(pose.__all__)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (
            pose.Pose,
            {
                "static_image_mode": False,
                "model_complexity": 1,
                "smooth_landmarks": True,
                "enable_segmentation": False,
                "smooth_segmentation": True,
                "min_detection_confidence": 0.5,
                "min_tracking_confidence": 0.5,
            },
        ),
        (pose.Pose.process, {"self": inspect.Parameter.empty, "image": inspect.Parameter.empty}),
        (pose.Pose.close, {"self": inspect.Parameter.empty}),
        (pose.Pose.reset, {"self": inspect.Parameter.empty}),
        (
            drawing_utils.draw_landmarks,
            {
                "image": inspect.Parameter.empty,
                "landmark_list": inspect.Parameter.empty,
                "connections": None,
                "landmark_drawing_spec": drawing_utils.DrawingSpec((0, 0, 255), 2, 2),
                "connection_drawing_spec": drawing_utils.DrawingSpec((224, 224, 224), 2, 2),
                "is_drawing_landmarks": True,
            },
        ),
        (
            drawing_utils.plot_landmarks,
            {
                "landmark_list": inspect.Parameter.empty,
                "connections": None,
                "landmark_drawing_spec": drawing_utils.DrawingSpec((0, 0, 255), 5, 2),
                "connection_drawing_spec": drawing_utils.DrawingSpec((0, 0, 0), 5, 2),
                "elevation": 10,
                "azimuth": 10,
            },
        ),
        (drawing_utils.DrawingSpec, {"color": (224, 224, 224), "thickness": 2, "circle_radius": 2}),
        (drawing_styles.get_default_pose_landmarks_style, {}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_arguments_in_mediapipes_order(function: Any, arguments: dict[str, Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    own = {inspect.Parameter.KEYWORD_ONLY}  # this package's additions
    assert {p.name: p.default for p in parameters if p.kind not in own} == arguments
    assert list(arguments) == [p.name for p in parameters if p.kind not in own]


def test_constants() -> None:
    colours = {name: getattr(drawing_utils, f"{name}_COLOR") for name in ("WHITE", "BLACK", "RED", "GREEN", "BLUE")}
    assert colours == {
        "WHITE": (224, 224, 224), "BLACK": (0, 0, 0), "RED": (0, 0, 255), "GREEN": (0, 128, 0), "BLUE": (255, 0, 0),
    }  # fmt: skip


def test_landmarks() -> None:
    assert [landmark.value for landmark in pose.PoseLandmark] == list(range(33))
    assert pose.PoseLandmark["NOSE"] is pose.PoseLandmark(0) is pose.PoseLandmark.NOSE
    some = {"RIGHT_EYE_OUTER": 6, "MOUTH_LEFT": 9, "LEFT_SHOULDER": 11, "RIGHT_THUMB": 22, "RIGHT_FOOT_INDEX": 32}
    assert {name: int(pose.PoseLandmark[name]) for name in some} == some
    assert (pose.PoseLandmark.LEFT_HIP.name, pose.PoseLandmark.LEFT_HIP.value) == ("LEFT_HIP", 23)


def test_connections() -> None:
    assert isinstance(pose.POSE_CONNECTIONS, frozenset)
    assert len(pose.POSE_CONNECTIONS) == 35
    assert sum(33 * a + b for a, b in pose.POSE_CONNECTIONS) == 18190
    assert {(11, 12), (23, 24), (27, 31), (28, 32), (9, 10)} <= pose.POSE_CONNECTIONS


def test_style() -> None:
    style = drawing_styles.get_default_pose_landmarks_style()
    assert sorted(style) == list(range(33))
    assert style[pose.PoseLandmark.NOSE].color == (224, 224, 224)
    assert {style[i].color for i in (1, 9, 11, 31)} == {(0, 138, 255)}
    assert {style[i].color for i in (4, 10, 12, 32)} == {(231, 217, 0)}
    assert {(spec.thickness, spec.circle_radius) for spec in style.values()} == {(2, 2)}


def test_results(estimator: pose.Pose, people: np.ndarray) -> None:
    results = estimator.process(people)
    assert results.pose_landmarks
    assert results["pose_landmarks"] is results.pose_landmarks is results.get("pose_landmarks")
    assert results.pose_world_landmarks is results.segmentation_mask is None
    assert results.get("segmentation_mask", 5) == results.get("nothing", 5) == 5
    with pytest.raises(KeyError):
        results["nothing"]
    with pytest.raises(TypeError):
        iter(results)
    landmarks = results.pose_landmarks.landmark
    nose = landmarks[pose.PoseLandmark.NOSE]
    assert isinstance(results.pose_landmarks, landmark_pb2.NormalizedLandmarkList)
    assert (len(landmarks), landmarks[0], len(landmarks[11:13])) == (33, nose, 2)
    assert landmarks[-1] is landmarks[pose.PoseLandmark.RIGHT_FOOT_INDEX]
    assert [index for index, _ in enumerate(landmarks)] == list(range(33))
    assert 0 < nose.x < 1
    assert 0 < nose.y < 0.6
    assert nose.visibility > 0.5
    assert [nose.HasField(name) for name in ("visibility", "presence")] == [True, False]
    assert max(landmark.visibility for landmark in landmarks) <= 1


def test_nobody(estimator: pose.Pose) -> None:
    results = estimator.process(EMPTY)
    assert results.pose_landmarks is results.pose_world_landmarks is results.segmentation_mask is None
    assert results["pose_landmarks"] is None
    assert results


@pytest.mark.parametrize("view", ["mirrored", "read-only", "cut", "fortran"])
def test_any_memory_layout(view: str, estimator: pose.Pose, people: np.ndarray) -> None:
    picture = {
        "mirrored": people[:, ::-1][:, ::-1],
        "read-only": np.frombuffer(people.tobytes(), np.uint8).reshape(people.shape),
        "cut": np.pad(people, ((3, 5), (2, 7), (0, 0)))[3:-5, 2:-7],
        "fortran": np.asfortranarray(people),
    }[view]
    assert estimator.process(picture).pose_landmarks == estimator.process(people).pose_landmarks


def test_the_picture_stays_as_it_was(estimator: pose.Pose, people: np.ndarray) -> None:
    before = people.copy()
    estimator.process(people)
    np.testing.assert_array_equal(people, before)
    assert people.flags.writeable


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), ValueError, "Input image must contain three channel rgb data."),
        (EMPTY[None], ValueError, "Input image must contain three channel rgb data."),
        (EMPTY.astype(np.float64), TypeError, "float64"),
        (EMPTY.astype(np.int64), TypeError, "int64"),
        (EMPTY[..., 0], IndexError, "tuple index out of range"),
        (None, AttributeError, "'NoneType' object has no attribute 'shape'"),
        (EMPTY.tolist(), AttributeError, "'list' object has no attribute 'shape'"),
        (EMPTY[:0], RuntimeError, "empty"),
    ],
    ids=["four-channels", "batch", "float", "int64", "grey", "none", "list", "empty"],
)
def test_pictures_that_are_none(picture: Any, error: type[Exception], message: str, estimator: pose.Pose) -> None:
    with pytest.raises(error) as caught:
        estimator.process(picture)
    assert message in str(caught.value)
    assert isinstance(caught.value, TrtPoseError)
    assert caught.value.hint


def test_after_close() -> None:
    closed = pose.Pose(model="pose-nano", config=ONE_THREAD)
    closed.reset()
    closed.close()
    with pytest.raises(ValueError, match="_graph is None in SolutionBase"):
        closed.process(EMPTY)
    with pytest.raises(ValueError, match="already None"):
        closed.close()
    closed.reset()


def test_context_manager() -> None:
    with pose.Pose(model="pose-nano", config=ONE_THREAD) as opened:
        assert opened.process(EMPTY).pose_landmarks is None
    with pytest.raises(ValueError, match="_graph is None"):
        opened.process(EMPTY)


def test_arguments_by_position(people: np.ndarray) -> None:
    with pose.Pose(True, 0, False, False, False, 0.3, 0.3, model="pose-nano", config=ONE_THREAD) as opened:
        assert opened.process(people).pose_landmarks


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"enable_segmentation": True}, ConfigError, "segmentation_mask"),
        ({"model_complexity": 3}, BadValueError, "model_complexity 3"),
        ({"min_detection_confidence": 1.5}, BadValueError, "min_detection_confidence is 1.5"),
        ({"min_tracking_confidence": -0.1}, BadValueError, "min_tracking_confidence"),
        ({"model": "no-such-model"}, ModelNotFoundError, "no-such-model"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], error: type[TrtPoseError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        pose.Pose(**arguments)
    assert caught.value.hint


@pytest.mark.parametrize("complexity", [0, 1, 2])
def test_without_other_models_the_packages_own_is_taken(
    complexity: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model_choice._tell.cache_clear()
    monkeypatch.delenv("TRT_POSE_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        with pose.Pose(model_complexity=complexity, config=ONE_THREAD) as opened:
            assert opened.poses(EMPTY).skeleton.name == "coco18"
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]  # once, not twice
    assert "pose-nano is taken" in told
    for name in PRESETS[model_choice.PRESET_OF_COMPLEXITY[complexity]].split("+"):
        assert f"trt-pose models pull {name}" in told


@pytest.mark.parametrize(
    ("module", "name"), [(mp, "tasks"), (mp, "Image"), (mp.solutions, "hands"), (mp.solutions, "holistic")]
)
def test_what_is_not_here_says_so(module: ModuleType, name: str) -> None:
    with pytest.raises(AttributeError, match=f"{name} is not here: only mp.solutions.pose is .see docs/mediapipe.md"):
        getattr(module, name)
    assert not hasattr(module, name)


def test_the_longer_name_is_the_same_module() -> None:
    from trt_pose_app.compat.mediapipe.python.solutions import drawing_utils as same_drawing
    from trt_pose_app.compat.mediapipe.python.solutions import pose as same_pose
    from trt_pose_app.compat.mediapipe.python.solutions.pose import PoseLandmark

    assert (same_drawing, same_pose, PoseLandmark) == (drawing_utils, pose, pose.PoseLandmark)
    assert mp.python.solutions is mp.solutions


def test_import_needs_no_mediapipe_torch_or_protobuf() -> None:
    code = "import sys; from trt_pose_app.compat import mediapipe; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mediapipe", "torch", "matplotlib", "google.protobuf"} & set(loaded)

"""A program written for trt_pose runs after changing its imports, and finds the people of the sample picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from trt_pose_app.compat import trt_pose
from trt_pose_app.compat.trt_pose.coco import coco_category_to_topology
from trt_pose_app.compat.trt_pose.draw_objects import DrawObjects
from trt_pose_app.compat.trt_pose.parse_objects import ParseObjects
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ConfigError, DecodeError
from trt_pose_app.models.bundle import read_bundle
from trt_pose_app.models.task_file import read_task_file
from trt_pose_app.skeleton import COCO18

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "scripts/sample/people.jpg"
HUMAN_POSE = {
    "supercategory": "person",
    "id": 1,
    "name": "person",
    "keypoints": list(COCO18.parts),
    "skeleton": [[a + 1, b + 1] for a, b in COCO18.limbs],
}
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

# trt_pose's live demo as its documentation describes it, its camera and window left out. {array} and {package} are
# what differs between the tests; `model_trt` stands for what TRTModule would be.
LIVE_DEMO = """
import json
import cv2
import numpy as np
import {package}.coco
from {package}.draw_objects import DrawObjects
from {package}.parse_objects import ParseObjects

with open('human_pose.json', 'r') as f:
    human_pose = json.load(f)

topology = {package}.coco.coco_category_to_topology(human_pose)
num_parts = len(human_pose['keypoints'])
num_links = len(human_pose['skeleton'])

mean = np.array([0.485, 0.456, 0.406], np.float32)
std = np.array([0.229, 0.224, 0.225], np.float32)


def preprocess(image):
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    image = ((image - mean) / std).transpose(2, 0, 1)
    return {array}(np.ascontiguousarray(image[None, ...]))


parse_objects = ParseObjects(topology, cmap_threshold=0.15, link_threshold=0.15)
draw_objects = DrawObjects(topology)


def execute(change):
    image = change['new']
    data = preprocess(image)
    cmap, paf = model_trt(data)
    {detach}
    counts, objects, peaks = parse_objects(cmap, paf)
    draw_objects(image, counts, objects, peaks)
    found = []
    for i in range(int(counts[0])):
        points = {{}}
        for j in range(num_parts):
            k = int(objects[0][i][j])
            if k >= 0:
                peak = peaks[0][j][k]
                points[human_pose['keypoints'][j]] = (float(peak[1]), float(peak[0]))
        found.append(points)
    return found


people = execute({{'new': camera_value}})
"""


class PoseNano:
    """The embedded network where trt_pose's would be: normalised RGB in, and its maps out."""

    def __init__(self) -> None:
        self.bundle = read_bundle(ROOT / "weights/pose-nano.onnx")
        self.engine = OnnxRuntimeEngine(self.bundle.path, backend="cpu", threads=1)

    def __call__(self, data):
        pixels = np.asarray(data).transpose(0, 2, 3, 1) * STD + MEAN
        spec = self.bundle.spec
        assert spec.input.colour == "bgr"
        tensor = np.ascontiguousarray(255 * pixels[..., ::-1].transpose(0, 3, 1, 2))
        maps = self.engine.infer({spec.input.name: tensor.astype(np.float32)})
        cmap, paf = (maps[spec.outputs[role]] for role in ("cmap", "paf"))
        return (cmap, paf) if isinstance(data, np.ndarray) else (data.new_tensor(cmap), data.new_tensor(paf))


@pytest.fixture
def human_pose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "human_pose.json"
    path.write_text(json.dumps(HUMAN_POSE))
    return path


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_live_demo_draws_people(human_pose: Path, kind: str) -> None:
    array, detach = "np.asarray", "pass"
    if kind == "torch":
        pytest.importorskip("torch")
        array, detach = "__import__('torch').from_numpy", "cmap, paf = cmap.detach().cpu(), paf.detach().cpu()"
    picture = cv2.resize(cv2.imread(str(SAMPLE)), (256, 256))
    drawn = picture.copy()
    script = LIVE_DEMO.format(package="trt_pose_app.compat.trt_pose", array=array, detach=detach)
    names = {"model_trt": PoseNano(), "camera_value": drawn}
    exec(compile(script, "live_demo.py", "exec"), names)
    whole = [points for points in names["people"] if len(points) >= 8]
    assert len(whole) >= 2
    for points in whole:
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points.values())
    green = (drawn == (0, 255, 0)).all(axis=2) & (drawn != picture).any(axis=2)
    assert green.sum() > 300


def test_the_topology_is_trt_poses(human_pose: Path) -> None:
    topology = coco_category_to_topology(HUMAN_POSE)
    assert (topology.shape, topology.dtype) == ((21, 4), np.int32)
    assert topology[0].tolist() == [0, 1, 15, 13]
    assert topology[20].tolist() == [40, 41, 17, 12]
    assert read_task_file(human_pose) is COCO18


@pytest.mark.parametrize(
    "category", [{}, {"keypoints": ["a"]}, {"keypoints": ["a", 3], "skeleton": []}, {"keypoints": 3, "skeleton": []}]
)
def test_no_category(category: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="no COCO category"):
        coco_category_to_topology(category)


def test_a_limb_of_a_part_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"a limb names a part outside 0\.\.1"):
        coco_category_to_topology({"keypoints": ["a", "b"], "skeleton": [[1, 3]]})


def maps(n: int, k_parts: int = 2, size: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """``n`` frames with one limb from (6, 4) to (6, 16) in cells (row, column)."""
    cmap = np.zeros((n, k_parts, size, size), np.float32)
    cmap[:, 0, 6, 4] = cmap[:, 1, 6, 16] = 0.9
    paf = np.zeros((n, 2, size, size), np.float32)
    paf[:, 1, 4:9] = 1  # x
    return cmap, paf


TOPOLOGY = np.array([[0, 1, 0, 1]], np.int32)


def test_shapes_and_fill_values() -> None:
    counts, objects, peaks = ParseObjects(TOPOLOGY, max_num_parts=10, max_num_objects=20)(*maps(3))
    assert (counts.tolist(), objects.shape, peaks.shape) == ([1, 1, 1], (3, 20, 2), (3, 2, 10, 2))
    assert objects[0, 0].tolist() == [0, 0]
    assert (objects[:, 1:] == -1).all()
    np.testing.assert_allclose(peaks[0, :, 0], [[6.5 / 24, 4.5 / 24], [6.5 / 24, 16.5 / 24]], rtol=1e-6)
    assert not peaks[:, :, 1:].any()  # trt_pose_hand reads the last one as "missing"


def test_arguments_by_position_as_the_original_has_them() -> None:
    parser = ParseObjects(TOPOLOGY, 0.95, 0.1, 5, 7, 100, 100)
    assert parser(*maps(1))[0].tolist() == [0]
    assert (parser.cmap_threshold, parser.max_num_objects) == (0.95, 100)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_torch_in_torch_out(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    cmap, paf = (torch.from_numpy(one).to(getattr(torch, dtype)) for one in maps(1))
    cmap = cmap.contiguous(memory_format=torch.channels_last).requires_grad_()
    counts, objects, peaks = ParseObjects(torch.from_numpy(TOPOLOGY))(cmap, paf)
    assert (counts.dtype, objects.dtype, peaks.dtype) == (torch.int32, torch.int32, torch.float32)
    assert objects[0][0].tolist() == [0, 0]
    image = np.zeros((48, 48, 3), np.uint8)
    DrawObjects(torch.from_numpy(TOPOLOGY))(image, counts, objects, peaks)
    assert image[13, 20].tolist() == [0, 255, 0]


def test_a_frame_of_nan_is_no_crash() -> None:
    cmap, paf = maps(1)
    cmap[:] = np.nan
    result = ParseObjects(TOPOLOGY)(cmap, paf)
    DrawObjects(TOPOLOGY)(np.zeros((48, 48, 3), np.uint8), *result)


def test_maps_that_do_not_fit() -> None:
    cmap, paf = maps(1)
    for wrong in ((cmap[0], paf[0]), (cmap, paf[:, :1]), (cmap, paf[:, :, :3])):
        with pytest.raises(DecodeError):
            ParseObjects(TOPOLOGY)(*wrong)


def test_the_networks_have_their_names() -> None:
    with pytest.raises(AttributeError, match="no network 'resnet'"):
        _ = trt_pose.models.resnet
    torch = pytest.importorskip("torch")
    network = trt_pose.models.resnet18_baseline_att(18, 42, upsample_channels=8, pretrained=False).eval()
    with torch.no_grad():
        cmap, paf = network(torch.zeros(1, 3, 64, 64))
    assert (cmap.shape, paf.shape) == ((1, 18, 16, 16), (1, 42, 16, 16))

"""On annotated photos a conversion is judged by the average precision it keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

cv2 = pytest.importorskip("cv2")
pytest.importorskip("pycocotools")
pytest.importorskip("onnxslim")

from converters.bundle_writer import write_bundle  # noqa: E402  # after the check for OpenCV
from converters.parity import compare_sides  # noqa: E402
from converters.parity_ap import AnnotatedPhotos  # noqa: E402
from converters.parity_side import Side  # noqa: E402
from tests.estimators.scripted import AT, SIZE, write_pose  # noqa: E402
from trt_pose_app.cli.convert import command  # noqa: E402
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine  # noqa: E402
from trt_pose_app.estimators.crop import Crops  # noqa: E402
from trt_pose_app.models.bundle import Bundle, read_bundle  # noqa: E402
from trt_pose_app.skeleton import COCO17  # noqa: E402

BOXES = np.array([[20, 20, 80, 120], [100, 40, 150, 130]], np.float32)


@pytest.fixture
def pose(tmp_path: Path) -> Bundle:
    return read_bundle(write_pose(tmp_path))


@pytest.fixture
def annotations(pose: Bundle, tmp_path: Path) -> Path:
    """Three photos of two people each, whose keypoints lie exactly where the scripted network sees them."""
    (tmp_path / "images").mkdir()
    crops = Crops.around(BOXES, SIZE, pose.spec.input.crop_padding)
    people = crops.to_frame(np.tile(np.float32(AT), (2, 17, 1)))
    # On one point all keypoints of a person lie; the area is what keeps the two apart.
    notes = []
    for image in (1, 2, 3):
        picture = np.full((160, 200, 3), 40 * image, np.uint8)
        cv2.imwrite(str(tmp_path / f"images/{image}.png"), picture)
        for box, xy in zip(BOXES, people):
            x0, y0, x1, y1 = map(float, box)
            triples = np.column_stack([xy, np.full(17, 2)]).ravel().tolist()
            place = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
            notes.append(
                {"id": len(notes) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, **place, "keypoints": triples}
            )
    document = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 200, "height": 160} for i in (1, 2, 3)],
        "annotations": notes,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.parts), "skeleton": []}],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(document))
    return path


def test_a_top_down_network_gets_crops_of_the_annotated_people(pose: Bundle, annotations: Path) -> None:
    photos = AnnotatedPhotos(annotations)
    for count, shades in ((3, [40, 80, 120]), (99, [40, 40, 80, 80, 120, 120])):
        crops = photos.frames(pose.spec, count)
        assert [int(np.median(crop)) for crop in crops] == shades
        assert {crop.shape for crop in crops} == {(SIZE[1], SIZE[0], 3)}


@pytest.mark.parametrize(("bins", "ap", "broken"), [(0, 1.0, False), (40, 0.0, True)])
def test_lost_average_precision_breaks_the_budget(
    pose: Bundle, annotations: Path, tmp_path: Path, bins: int, ap: float, broken: bool
) -> None:
    model = onnx.load(pose.path)
    for tensor in model.graph.initializer:
        if tensor.name == "simcc_x_constant":
            values = np.roll(onnx.numpy_helper.to_array(tensor), bins, axis=2)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    moved = write_bundle(model, pose.spec, tmp_path / "moved.onnx")
    photos = AnnotatedPhotos(annotations)
    with (
        OnnxRuntimeEngine(pose.path, backend="cpu", threads=1) as one,
        OnnxRuntimeEngine(moved.path, backend="cpu", threads=1) as other,
    ):
        sides = Side("before", pose.spec, one), Side("after", moved.spec, other)
        report = compare_sides(*sides, photos.frames(pose.spec, 2), photos=photos)
    assert report.ap == pytest.approx((1.0, ap))
    assert any("AP lost in points is 100" in sentence for sentence in report.broken) == broken


def test_the_verb_reports_it(pose: Bundle, annotations: Path, tmp_path: Path) -> None:
    words = [pose.path, "--input", "uint8-nhwc", "--annotations", annotations, "-o", tmp_path / "out.onnx", "--json"]
    result = CliRunner().invoke(command, [*map(str, words)], catch_exceptions=False, standalone_mode=False)
    assert result.return_value == 0, result.output
    (report,) = json.loads(result.stdout)["parity"]
    assert report["ap"] == pytest.approx([1.0, 1.0])
    assert (report["frames"], report["people"]["source"]) == (6, 6)

"""The trunk with PP-TinyPose's weights computes what PP-TinyPose does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from trt_pose_app.errors import ModelSpecError  # noqa: E402
from trt_pose_app.networks.lite_hrnet import LiteHrNet  # noqa: E402
from trt_pose_app.training.pretrained import load_trunk  # noqa: E402

HEIGHT, WIDTH = 256, 192  # the released network takes no other size


@pytest.fixture
def tinypose(shared: Path) -> Path:
    return shared / "weights/tinypose-256x192.onnx"


@pytest.mark.shared
def test_the_trunk_gives_the_released_networks_features_and_heatmaps(tinypose):
    torch.set_num_threads(1)
    graph = onnx.load(str(tinypose)).graph
    last = [node for node in graph.node if node.op_type == "Conv"][-1]
    feature = onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None)
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tensors |= {
        n.output[0]: onnx.numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"
    }
    bias = next(name for node in graph.node if last.output[0] in node.input for name in node.input if name in tensors)
    model = onnx.load(str(tinypose))
    model.graph.output.append(feature)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rgb = np.random.default_rng(0).normal(0, 1, (1, 3, HEIGHT, WIDTH)).astype(np.float32)
    heatmaps, features = session.run(None, {"image": rgb})

    trunk = LiteHrNet().eval()
    load_trunk(trunk, tinypose)
    with torch.no_grad():
        ours = trunk(torch.from_numpy(rgb[:, ::-1].copy()))
        head = torch.nn.functional.conv2d(
            ours, torch.from_numpy(tensors[last.input[1]].copy()), torch.from_numpy(tensors[bias].reshape(-1).copy())
        )
    np.testing.assert_allclose(ours.numpy(), features, atol=2e-4 * np.abs(features).max())
    np.testing.assert_allclose(head.numpy(), heatmaps, atol=2e-4)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "sign"),
    [("tinypose-256x192.onnx", "convolution"), ("openpose-lightweight.onnx", "0 convolutions with folded")],
)
def test_weights_that_do_not_fit_are_refused(shared, file, sign):
    with pytest.raises(ModelSpecError, match=sign):
        load_trunk(LiteHrNet(8), shared / "weights" / file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelSpecError, match="cannot read the trunk"):
        load_trunk(LiteHrNet(8), tmp_path / "none.onnx")

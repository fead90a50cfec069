"""RTMPose: CSPNeXt and a head that reads each coordinate from a one-dimensional map (Jiang et al., 2023).

Tensors have mmpose's names, so that a published checkpoint loads with ``strict=True``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import ModelSpec, SimccSpec
from trt_pose_app.networks.cspnext import SIZES, CspNext, CspNextSize
from trt_pose_app.networks.gated_attention import GatedAttention, ScaleNorm
from trt_pose_app.networks.mmpose import ORIGIN, crop_input, skeleton_of

FP32_SCOPES = ("/head/mlp/", "/head/gau/")
"""Parts of the names of ONNX nodes that lose the most in half precision: the head's norms and its attention."""

_BINS_PER_PIXEL = 2
_STRIDE = 32
_CHANNELS = 256


@dataclass(frozen=True)
class RtmPoseVariant:
    """``size`` is t, s, m, l or x; ``width`` and ``height`` are the input's, in pixels, multiples of 32."""

    size: str
    n_keypoints: int
    width: int
    height: int

    def build(self) -> RtmPose:
        """Return the network with random weights, in eval mode."""
        network = RtmPose(SIZES[self.size], self.n_keypoints, self.width, self.height)
        return network.eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported. Raises ModelSpecError for an unknown number of keypoints."""
        skeleton = skeleton_of(self.n_keypoints)
        return ModelSpec(
            name=f"rtmpose-{self.size}-{skeleton}-{self.height}x{self.width}",
            kind="simcc",
            skeleton=skeleton,
            input=crop_input(self.width, self.height),
            outputs={"x": "simcc_x", "y": "simcc_y"},
            simcc=SimccSpec(split_ratio=_BINS_PER_PIXEL, score="min"),
            origin=ORIGIN,
        )


def identify(shapes: Mapping[str, Sequence[int]]) -> RtmPoseVariant | None:
    """Return which RTMPose a state dict of these shapes belongs to, or None where it is of another family.

    Raises ModelSpecError where it is an RTMPose of sizes that nobody published.
    """
    size = CspNextSize.of(shapes)
    if size is None or not {"head.final_layer.weight", "head.gau.uv.weight", "head.cls_y.weight"} <= shapes.keys():
        return None
    names = [name for name, known in SIZES.items() if known == size]
    if not names:
        raise ModelSpecError(
            f"an RTMPose of width {size.width} and depths {size.depths} is none of {', '.join(SIZES)}",
            hint="convert a network of a published size, or export it to ONNX and write a spec for it",
        )
    width, height = (int(shapes[f"head.cls_{axis}.weight"][0]) // _BINS_PER_PIXEL for axis in "xy")
    cells = (width // _STRIDE) * (height // _STRIDE)
    if width % _STRIDE or height % _STRIDE or int(shapes["head.mlp.1.weight"][1]) != cells:
        raise ModelSpecError(
            f"the RTMPose's head does not fit an input of {width}x{height} pixels",
            hint=f"only {_BINS_PER_PIXEL} bins a pixel and inputs in multiples of {_STRIDE} pixels are known",
        )
    return RtmPoseVariant(names[0], int(shapes["head.final_layer.weight"][0]), width, height)


class RtmPose(nn.Module):
    """Normalised crops (N, 3, ``height``, ``width``) to ``simcc_x`` (N, K, 2 width) and ``simcc_y`` (N, K, 2 height).

    Both are raw scores per half pixel; the place of the largest, over 2, is the keypoint's coordinate.
    """

    def __init__(self, size: CspNextSize, n_keypoints: int, width: int, height: int) -> None:
        super().__init__()
        self.backbone = CspNext(size)
        self.head = _Head(size.channels[-1], n_keypoints, width, height)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        maps: tuple[Tensor, Tensor] = self.head(self.backbone(crops)[-1])
        return maps


class _Head(nn.Module):
    def __init__(self, in_channels: int, n_keypoints: int, width: int, height: int) -> None:
        super().__init__()
        cells = (width // _STRIDE) * (height // _STRIDE)
        self._tokens = (-1, n_keypoints, cells)
        self.final_layer = nn.Conv2d(in_channels, n_keypoints, 7, padding=3)
        self.mlp = nn.Sequential(ScaleNorm(), nn.Linear(cells, _CHANNELS, bias=False))
        self.gau = GatedAttention(_CHANNELS)
        self.cls_x = nn.Linear(_CHANNELS, _BINS_PER_PIXEL * width, bias=False)
        self.cls_y = nn.Linear(_CHANNELS, _BINS_PER_PIXEL * height, bias=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        # Constant sizes: flatten() would write arithmetic on shapes into an exported graph.
        tokens = self.gau(self.mlp(self.final_layer(features).reshape(self._tokens)))
        return self.cls_x(tokens), self.cls_y(tokens)

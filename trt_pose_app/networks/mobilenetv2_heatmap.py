"""MobileNetV2 with three transposed convolutions and a heatmap per keypoint (mmpose's ``td-hm_mobilenetv2``).

Tensors have mmpose's names, so that a published checkpoint loads with ``strict=True``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import HeatmapSpec, ModelSpec
from trt_pose_app.networks.conv_bn import ConvBn
from trt_pose_app.networks.mmpose import ORIGIN, crop_input, skeleton_of

# Expansion, channels, blocks and first stride of the seven layers (Sandler et al., "MobileNetV2", table 2).
_LAYERS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_STEM_CHANNELS, _LAST_CHANNELS, _HEAD_CHANNELS = 32, 1280, 256


@dataclass(frozen=True)
class MobileNetV2HeatmapVariant:
    """``width`` and ``height`` are the input's. No tensor tells them: 256x192 was published, and 384x288."""

    n_keypoints: int
    width: int = 192
    height: int = 256

    def build(self) -> MobileNetV2Heatmap:
        """Return the network with random weights, in eval mode."""
        return MobileNetV2Heatmap(self.n_keypoints).eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported. Raises ModelSpecError for an unknown number of keypoints."""
        skeleton = skeleton_of(self.n_keypoints)
        return ModelSpec(
            name=f"mobilenetv2-heatmap-{skeleton}-{self.height}x{self.width}",
            kind="heatmap",
            skeleton=skeleton,
            input=crop_input(self.width, self.height),
            outputs={"heatmap": "heatmap"},
            heatmap=HeatmapSpec(stride=4, map_offset=0.0, refine="quarter"),
            origin=ORIGIN,
        )


def identify(shapes: Mapping[str, Sequence[int]]) -> MobileNetV2HeatmapVariant | None:
    """Return the variant that a state dict of these shapes belongs to, or None where it is of another family.

    The input's size is the usual one: ``dataclasses.replace`` it where the checkpoint's name says 384x288.
    Raises ModelSpecError where it is such a network of another width.
    """
    if not {"backbone.layer7.0.conv.2.conv.weight", "head.deconv_layers.0.weight", "head.final_layer.weight"} <= (
        shapes.keys()
    ):
        return None
    deconvolution = tuple(shapes["head.deconv_layers.0.weight"])
    if deconvolution != (_LAST_CHANNELS, _HEAD_CHANNELS, 4, 4):
        raise ModelSpecError(
            f"a MobileNetV2 whose first deconvolution is {deconvolution} is of no published width",
            hint="convert td-hm_mobilenetv2 of mmpose, or export the network to ONNX and write a spec for it",
        )
    return MobileNetV2HeatmapVariant(int(shapes["head.final_layer.weight"][0]))


class MobileNetV2Heatmap(nn.Module):
    """Normalised crops (N, 3, H, W), sides multiples of 32, to heatmaps (N, K, H/4, W/4) with peaks of about 1."""

    def __init__(self, n_keypoints: int) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.head = _Head(n_keypoints)

    def forward(self, crops: Tensor) -> Tensor:
        heatmaps: Tensor = self.head(self.backbone(crops))
        return heatmaps


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        channels = _STEM_CHANNELS
        self.conv1 = ConvBn(3, channels, 3, stride=2, activation=nn.ReLU6)
        for i, (expansion, out_channels, n_blocks, stride) in enumerate(_LAYERS, start=1):
            blocks = []
            for block in range(n_blocks):
                blocks.append(_InvertedResidual(channels, out_channels, expansion, stride if block == 0 else 1))
                channels = out_channels
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.conv2 = ConvBn(channels, _LAST_CHANNELS, activation=nn.ReLU6)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x)
        return x


class _InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = expansion * in_channels
        layers = [ConvBn(in_channels, wide, activation=nn.ReLU6)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *layers,
            ConvBn(wide, wide, 3, stride=stride, groups=wide, activation=nn.ReLU6),
            ConvBn(wide, out_channels, activation=nn.Identity),
        )
        self._residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self._residual else y


class _Head(nn.Module):
    def __init__(self, n_keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for in_channels in (_LAST_CHANNELS, _HEAD_CHANNELS, _HEAD_CHANNELS):
            layers += [
                nn.ConvTranspose2d(in_channels, _HEAD_CHANNELS, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(_HEAD_CHANNELS),
                nn.ReLU(inplace=True),
            ]
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(_HEAD_CHANNELS, n_keypoints, 1)

    def forward(self, features: Tensor) -> Tensor:
        heatmaps: Tensor = self.final_layer(self.deconv_layers(features))
        return heatmaps

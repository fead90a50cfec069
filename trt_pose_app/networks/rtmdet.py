"""RTMDet, a one-stage detector (Lyu et al., 2022), as raw maps per level: no box arithmetic inside the graph.

Tensors have mmdet's names, so that a published checkpoint loads with ``strict=True``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import DetectorSpec, InputSpec, ModelSpec
from trt_pose_app.networks import mmpose
from trt_pose_app.networks.conv_bn import ConvBn
from trt_pose_app.networks.cspnext import SIZES as TRUNKS
from trt_pose_app.networks.cspnext import CspLayer, CspNext, CspNextSize, conv3x3

_STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class _Size:
    trunk: CspNextSize
    neck_blocks: int
    side: int  # of the published networks' input, in pixels
    exponential: bool = False  # the head gives the logarithm of its distances


SIZES = {
    "nano": _Size(CspNextSize(16, (1, 2, 2, 1), depthwise=True), 1, 320),
    "t": _Size(TRUNKS["t"], 1, 640),
    "s": _Size(TRUNKS["s"], 1, 640),
    "m": _Size(TRUNKS["m"], 2, 640, exponential=True),
}


@dataclass(frozen=True)
class RtmDetVariant:
    """``size`` is nano, t, s or m; class 0 is the person (the only class of the networks for pose estimation)."""

    size: str
    n_classes: int = 1

    def build(self) -> RtmDet:
        """Return the network with random weights, in eval mode."""
        network = RtmDet(SIZES[self.size], self.n_classes)
        return network.eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported: a pair of class and box maps at each stride."""
        side = SIZES[self.size].side
        classes = "person" if self.n_classes == 1 else f"{self.n_classes}-classes"
        return ModelSpec(
            name=f"rtmdet-{self.size}-{classes}",
            kind="detector",
            input=InputSpec(
                name="input",
                width=side,
                height=side,
                colour="bgr",
                mean=(103.53, 116.28, 123.675),
                std=(57.375, 57.12, 58.395),
                resize="letterbox-top-left",
                padding_value=114,
                multiple_of=32,
            ),
            outputs={f"{role}{stride}": f"{role}{stride}" for stride in _STRIDES for role in ("class", "box")},
            detector=DetectorSpec(format="rtmdet", strides=_STRIDES),
            origin=mmpose.ORIGIN,
        )


def identify(shapes: Mapping[str, Sequence[int]]) -> RtmDetVariant | None:
    """Return which RTMDet a state dict of these shapes belongs to, or None where it is of another family.

    Raises ModelSpecError where it is an RTMDet of another size, or one for instance masks or turned boxes.
    """
    trunk = CspNextSize.of(shapes)
    if trunk is None or not {"neck.reduce_layers.0.conv.weight", "bbox_head.rtm_cls.0.weight"} <= shapes.keys():
        return None
    names = [name for name, size in SIZES.items() if size.trunk == trunk]
    if not names:
        raise ModelSpecError(
            f"an RTMDet of width {trunk.width} and depths {trunk.depths} is none of {', '.join(SIZES)}",
            hint="convert a smaller RTMDet, or export it to ONNX and write a spec for it",
        )
    others = sorted({key.split(".")[1] for key in shapes if key.startswith("bbox_head.")} - set(_Head.PARTS))
    if others:
        raise ModelSpecError(
            f"the RTMDet's head has more than classes and boxes: {', '.join(others)}",
            hint="convert a plain RTMDet detector, not one for masks or turned boxes",
        )
    return RtmDetVariant(names[0], int(shapes["bbox_head.rtm_cls.0.weight"][0]))


class RtmDet(nn.Module):
    """Normalised pictures (N, 3, H, W), sides multiples of 32, to ``class8, box8, class16, box16, class32, box32``.

    Classes (N, classes, h, w) are logits; boxes (N, 4, h, w) the distances from (x, y) * stride to the left, top,
    right and bottom edge, in input pixels.
    """

    def __init__(self, size: _Size, n_classes: int) -> None:
        super().__init__()
        self.backbone = CspNext(size.trunk)
        self.neck = _Neck(size.trunk, size.neck_blocks)
        self.bbox_head = _Head(size, n_classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        maps: tuple[Tensor, ...] = self.bbox_head(self.neck(self.backbone(pictures)))
        return maps


class _Neck(nn.Module):
    """Coarse levels tell the fine ones, then the fine ones tell the coarse ones."""

    def __init__(self, trunk: CspNextSize, n_blocks: int) -> None:
        super().__init__()
        fine, middle, coarse = trunk.channels[1:]
        depthwise = trunk.depthwise
        self.reduce_layers = nn.ModuleList(ConvBn(a, b) for a, b in ((coarse, middle), (middle, fine)))
        self.top_down_blocks = nn.ModuleList(
            CspLayer(2 * channels, channels, n_blocks, depthwise=depthwise) for channels in (middle, fine)
        )
        self.downsamples = nn.ModuleList(
            conv3x3(channels, channels, depthwise=depthwise, stride=2) for channels in (fine, middle)
        )
        self.bottom_up_blocks = nn.ModuleList(
            CspLayer(channels, channels, n_blocks, depthwise=depthwise) for channels in (middle, coarse)
        )
        self.out_convs = nn.ModuleList(
            conv3x3(channels, fine, depthwise=depthwise) for channels in (fine, middle, coarse)
        )
        self.enlarge = nn.Upsample(scale_factor=2.0, mode="nearest")

    def forward(self, levels: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
        fine, middle, coarse = levels
        coarse = self.reduce_layers[0](coarse)
        middle = self.reduce_layers[1](self.top_down_blocks[0](torch.cat((self.enlarge(coarse), middle), dim=1)))
        fine = self.top_down_blocks[1](torch.cat((self.enlarge(middle), fine), dim=1))
        middle = self.bottom_up_blocks[0](torch.cat((self.downsamples[0](fine), middle), dim=1))
        coarse = self.bottom_up_blocks[1](torch.cat((self.downsamples[1](middle), coarse), dim=1))
        return [conv(level) for conv, level in zip(self.out_convs, (fine, middle, coarse))]


class _Head(nn.Module):
    PARTS = ("cls_convs", "reg_convs", "rtm_cls", "rtm_reg")

    def __init__(self, size: _Size, n_classes: int) -> None:
        super().__init__()
        self._exponential = size.exponential
        channels = size.trunk.channels[1]
        self.cls_convs = _towers(channels, depthwise=size.trunk.depthwise)
        self.reg_convs = _towers(channels, depthwise=size.trunk.depthwise)
        self.rtm_cls = nn.ModuleList(nn.Conv2d(channels, n_classes, 1) for _ in _STRIDES)
        self.rtm_reg = nn.ModuleList(nn.Conv2d(channels, 4, 1) for _ in _STRIDES)

    def forward(self, levels: list[Tensor]) -> tuple[Tensor, ...]:
        maps = []
        for i, (level, stride) in enumerate(zip(levels, _STRIDES)):
            distances = self.rtm_reg[i](self.reg_convs[i](level))
            if self._exponential:
                distances = distances.exp()
            maps += [self.rtm_cls[i](self.cls_convs[i](level)), distances * stride]
        return tuple(maps)


def _towers(channels: int, *, depthwise: bool) -> nn.ModuleList:
    """Return two 3x3 layers per level. But for nano, levels share their convolutions and not their normalisation."""
    towers = nn.ModuleList(
        nn.Sequential(*(conv3x3(channels, channels, depthwise=depthwise) for _ in range(2))) for _ in _STRIDES
    )
    if not depthwise:
        for tower in towers[1:]:
            for layer, shared in zip(tower, towers[0]):
                layer.conv = shared.conv
    return towers

"""Lightweight OpenPose: a dilated MobileNet v1 and a few small refinement stages (Osokin, 2018).

Tensors have the names of the author's repository, so that its checkpoints load with ``strict=True``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.spec import InputSpec, ModelSpec, OriginSpec
from trt_pose_app.networks.openpose_vgg import DECODE, PAF

# Output channels, stride and dilation of MobileNet's separable layers: strides 16 and 32 are left out for dilation.
_LAYERS = (
    (64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1), (512, 1, 2), *[(512, 1, 1)] * 4,
)  # fmt: skip
_STEM_CHANNELS, _CHANNELS = 32, 128
_N_PARTS, _N_LIMBS = 18, 19


@dataclass(frozen=True)
class LightweightOpenPoseVariant:
    """``n_refinements`` is 1 in the published checkpoints; 3 were trained for its accuracy and dropped.

    ``intel``: human-pose-estimation-0001 of Intel's Open Model Zoo, which has one more layer behind the trunk, and
    biases there; see ``openpose_intel``.
    """

    n_refinements: int
    intel: bool = False
    width: int = 456
    height: int = 256

    def build(self) -> LightweightOpenPose:
        """Return the network with random weights, in eval mode."""
        network = LightweightOpenPose(self.n_refinements, intel=self.intel)
        return network.eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported; it takes any size in multiples of 8."""
        stages = "" if self.n_refinements == 1 else f"-{self.n_refinements}-refinements"
        return ModelSpec(
            name=f"openpose-lightweight{'-intel' if self.intel else ''}{stages}",
            kind="paf",
            skeleton="openpose18",
            input=InputSpec(
                name="input",
                width=self.width,
                height=self.height,
                colour="bgr",
                mean=(128.0, 128.0, 128.0),
                std=(256.0, 256.0, 256.0),
                padding_value=128,
                multiple_of=8,
            ),
            outputs={"cmap": "cmap", "paf": "paf"},
            paf=PAF,
            decode=DECODE,
            origin=OriginSpec(
                licence="Apache-2.0",
                origin="https://github.com/Daniil-Osokin/lightweight-human-pose-estimation.pytorch",
            ),
        )


def identify(shapes: Mapping[str, Sequence[int]]) -> LightweightOpenPoseVariant | None:
    """Return the variant that a state dict of these shapes belongs to, or None where it is of another family.

    Raises ModelSpecError where it is such a network for other keypoints than OpenPose's 18.
    """
    if not {"model.11.3.weight", "cpm.align.0.weight", "initial_stage.pafs.1.0.weight"} <= shapes.keys():
        return None
    maps = {name: int(shapes[f"initial_stage.{name}.1.0.weight"][0]) for name in ("heatmaps", "pafs")}
    if maps != {"heatmaps": _N_PARTS + 1, "pafs": 2 * _N_LIMBS}:
        raise ModelSpecError(
            f"the Lightweight OpenPose has {maps['heatmaps']} confidence maps and {maps['pafs']} PAF channels",
            hint=f"{_N_PARTS + 1} and {2 * _N_LIMBS} are known; export others to ONNX and write a spec",
        )
    stages = {key.split(".")[1] for key in shapes if key.startswith("refinement_stages.")}
    return LightweightOpenPoseVariant(len(stages), intel="cpm.reduce.0.weight" in shapes)


class LightweightOpenPose(nn.Module):
    """Pictures (N, 3, H, W), sides multiples of 8, to confidence maps and part affinity fields at stride 8.

    Input is BGR, (x - 128) / 256. In eval mode the result is ``(cmap, paf)`` of the last stage, (N, K + 1, H/8, W/8)
    with the background last and (N, 2L, H/8, W/8); in training mode a list of such pairs, one per stage.
    """

    stride = 8
    multiple_of = 8

    def __init__(
        self, n_refinements: int = 1, *, n_parts: int = _N_PARTS, n_limbs: int = _N_LIMBS, intel: bool = False
    ) -> None:
        super().__init__()
        n_maps = (n_parts + 1, 2 * n_limbs)
        layers: list[nn.Module] = [_conv(3, _STEM_CHANNELS, stride=2, norm=True, bias=False)]
        channels = _STEM_CHANNELS
        for out_channels, stride, dilation in _LAYERS:
            layers.append(_separable(channels, out_channels, stride, dilation))
            channels = out_channels
        self.model = nn.Sequential(*layers)
        self.cpm = _Bridge(channels, intel=intel)
        self.initial_stage = _InitialStage(n_maps)
        self.refinement_stages = nn.ModuleList(_RefinementStage(n_maps) for _ in range(n_refinements))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        features = self.cpm(self.model(pictures))
        stages = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            stages.append(stage(torch.cat((features, *stages[-1]), dim=1)))
        return stages if self.training else stages[-1]


class _Bridge(nn.Module):
    """From the trunk's channels to those of the stages."""

    def __init__(self, in_channels: int, *, intel: bool) -> None:
        super().__init__()
        self.align = _conv(in_channels, _CHANNELS, kernel=1, activation=nn.ELU if intel else nn.ReLU)
        self.reduce = _conv(_CHANNELS, _CHANNELS, kernel=1, activation=nn.ELU) if intel else nn.Identity()
        self.trunk = nn.Sequential(*(_separable_elu(_CHANNELS, bias=intel) for _ in range(3)))
        self.conv = _conv(_CHANNELS, _CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.align(x)
        y: Tensor = self.conv(x + self.trunk(self.reduce(x)))
        return y


class _InitialStage(nn.Module):
    def __init__(self, n_maps: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*(_conv(_CHANNELS, _CHANNELS) for _ in range(3)))
        self.heatmaps, self.pafs = (_maps(512, n) for n in n_maps)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


class _RefinementStage(nn.Module):
    def __init__(self, n_maps: tuple[int, int]) -> None:
        super().__init__()
        inputs = (_CHANNELS + sum(n_maps), *[_CHANNELS] * 4)
        self.trunk = nn.Sequential(*(_RefinementBlock(channels) for channels in inputs))
        self.heatmaps, self.pafs = (_maps(_CHANNELS, n) for n in n_maps)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.heatmaps(x), self.pafs(x)


class _RefinementBlock(nn.Module):
    """A 1x1 convolution, and what a 3x3 and a dilated 3x3 add to it: the reach of OpenPose's 7x7 at a third."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.initial = _conv(in_channels, _CHANNELS, kernel=1)
        self.trunk = nn.Sequential(
            _conv(_CHANNELS, _CHANNELS, norm=True), _conv(_CHANNELS, _CHANNELS, dilation=2, norm=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.initial(x)
        y: Tensor = x + self.trunk(x)
        return y


def _maps(inner: int, n_maps: int) -> nn.Sequential:
    return nn.Sequential(_conv(_CHANNELS, inner, kernel=1), nn.Sequential(nn.Conv2d(inner, n_maps, 1)))


def _conv(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    norm: bool = False,
    bias: bool = True,
    activation: type[nn.Module] = nn.ReLU,
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=bias)
    return nn.Sequential(convolution, *([nn.BatchNorm2d(out_channels)] if norm else []), activation(inplace=True))


def _separable(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, stride, dilation, dilation, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _separable_elu(channels: int, *, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.ELU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=bias),
        nn.ELU(inplace=True),
    )

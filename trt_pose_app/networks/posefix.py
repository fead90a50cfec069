"""PoseFix: crops of people and the poses some estimator found for them, to better poses.

Moon, Chang and Lee, "PoseFix: Model-agnostic General Human Pose Refinement Network" (CVPR 2019). ``PoseFixRelease`` is
the published network; ``PoseFixNano`` is a hundredth of it, for processors and small boards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from trt_pose_app.models.spec import InputSpec, ModelSpec, OriginSpec, RefinerSpec
from trt_pose_app.networks.lite_hrnet import STEM_CHANNELS, LiteHrNet
from trt_pose_app.networks.pose_codec import CellGrid, Gaussians, SoftArgmax

# ImageNet's, in units of 0..255 pixels, in the order blue, green, red: what pretrained trunks were fed with.
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)
_STRIDE = 4

OUTPUTS = {"coordinates": "refined", "score": "confidence"}  # role -> name


class PoseFixNano(nn.Module):
    """BGR pixels 0..255 (N, 3, H, W), coordinates (N, K, 2) in them and validity (N, K) to a refined pose.

    H and W are multiples of 32. In eval mode the result is ``(coordinates, confidence)``, (N, K, 2) pixels and (N, K)
    in [0, 1]; in training mode it is the logits (N, K, H/4, W/4). A keypoint without validity is not drawn and
    estimated from the picture and the others alone.

    The pose joins the picture behind the stem, at stride 4, so a trunk with published weights needs no other first
    layer. Its layer starts at 0: an untrained refiner's trunk sees what it was pretrained for.
    """

    stride = _STRIDE
    multiple_of = 32

    def __init__(self, n_parts: int, *, trunk_channels: int = 40, trunk_stages: int = 2, sigma_px: float = 5.0) -> None:
        super().__init__()
        self.n_parts = n_parts
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(_STD_BGR).reshape(1, 3, 1, 1), persistent=False)
        gaussians = Gaussians(CellGrid(_STRIDE, map_offset=0.5), sigma_px)
        self.pose_maps, self.soft_argmax = gaussians, SoftArgmax(gaussians)
        self.trunk = LiteHrNet(trunk_channels, trunk_stages)
        self.pose = nn.Conv2d(n_parts, STEM_CHANNELS, 3, padding=1, bias=False)
        self.out = nn.Conv2d(trunk_channels, n_parts, 1)
        nn.init.zeros_(self.pose.weight)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, pixels: Tensor, xy: Tensor, valid: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = (int(side) // _STRIDE for side in pixels.shape[2:])
        beside = self.pose(self.pose_maps(xy, valid, height, width))
        logits: Tensor = self.out(self.trunk((pixels - self.mean) * self.scale, beside))
        if self.training:
            return logits
        pose: tuple[Tensor, Tensor] = self.soft_argmax(logits.float())
        return pose


class CropRefiner(nn.Module):
    """A ``PoseFixNano`` that takes crops as they are cut out: (N, H, W, 3) uint8 BGR. It is what is exported."""

    def __init__(self, network: PoseFixNano) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, xy: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        # TensorRT reads uint8 only through a cast that comes first.
        pose: tuple[Tensor, Tensor] = self.network(crops.float().permute(0, 3, 1, 2), xy, valid)
        return pose


@dataclass(frozen=True)
class PoseFixVariant:
    """A published network: ``depth`` 50, 101 or 152, for crops of 288x384 or 192x256 pixels."""

    depth: Literal[50, 101, 152] = 152
    width: Literal[288, 192] = 288
    n_parts: int = 17

    @property
    def height(self) -> int:
        return self.width * 4 // 3

    def build(self) -> PoseFixRelease:
        """Return the network with random weights, in eval mode."""
        sigma_px = 9.0 if self.width == 288 else 7.0
        network = PoseFixRelease(self.depth, self.n_parts, sigma_px)
        return network.eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported.

        The released code subtracts ImageNet's means from a BGR picture in the order of RGB, and cuts out 1.5 times the
        extent of the pose: its weights were trained so.
        """
        return ModelSpec(
            name=f"posefix-r{self.depth}-{self.height}x{self.width}",
            kind="refiner",
            skeleton="coco17",
            input=InputSpec(
                name="image",
                width=self.width,
                height=self.height,
                colour="bgr",
                mean=(123.68, 116.78, 103.94),
                resize="affine-crop",
                crop_padding=1.5,
            ),
            outputs=OUTPUTS,
            refiner=RefinerSpec(),
            origin=OriginSpec(licence="MIT", origin="github.com/mks0601/PoseFix_RELEASE"),
        )


class PoseFixRelease(nn.Module):
    """Crops (N, 3, H, W), coordinates (N, K, 2) in them and validity (N, K) to ``(coordinates, confidence)``.

    Modes as in ``PoseFixNano``. A ResNet whose first convolution sees 3 + K channels: the picture and, as bright as it,
    a map of the size of the crop for each keypoint. Then SimpleBaseline's head.
    """

    stride = _STRIDE
    multiple_of = 32

    def __init__(self, depth: int, n_parts: int, sigma_px: float) -> None:
        super().__init__()
        from torchvision.models import resnet

        trunk = getattr(resnet, f"resnet{depth}")()
        trunk.conv1 = nn.Conv2d(3 + n_parts, 64, 7, stride=2, padding=3, bias=False)
        self.trunk = nn.Sequential(
            trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool, trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4
        )
        self.head = nn.Sequential(*_doubling(2048), *_doubling(256), *_doubling(256), nn.Conv2d(256, n_parts, 1))
        self.pose_maps = Gaussians(CellGrid(1, map_offset=0), sigma_px, peak=255.0)
        # Cells stand for every fourth pixel, the first one's: as released.
        self.soft_argmax = SoftArgmax(Gaussians(CellGrid(_STRIDE, map_offset=0), sigma_px))

    def forward(self, crops: Tensor, xy: Tensor, valid: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = (int(side) for side in crops.shape[2:])
        maps = self.pose_maps(xy, valid, height, width)
        logits: Tensor = self.head(self.trunk(torch.cat((crops, maps), dim=1)))
        if self.training:
            return logits
        pose: tuple[Tensor, Tensor] = self.soft_argmax(logits.float())
        return pose


def _doubling(channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.ConvTranspose2d(channels, 256, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
    )

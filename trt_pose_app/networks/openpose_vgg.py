"""OpenPose's COCO network: ten layers of VGG19, two of its own, and six stages of two branches (Cao et al., 2017).

Tensors have the names of tensorboy's repository; ``rename`` reads the other public spelling as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal
from urllib.error import URLError

import torch
from torch import Tensor, nn

from trt_pose_app.errors import ModelNotFoundError, ModelSpecError
from trt_pose_app.models.spec import DecodeSpec, InputSpec, ModelSpec, OriginSpec, PafSpec

# Output channels of the feature module's 3x3 convolutions; "pool" halves the map. The first ten are VGG19's.
_FEATURES = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 256, 128)
_N_VGG_LAYERS = 10
_FEATURE_CHANNELS = 128
_BRANCHES = ("1", "2")  # part affinity fields, confidence maps

_INPUTS = {
    # pose_model_scratch.pth and networks trained here
    "vgg": {"colour": "rgb", "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)},
    # pose_model.pth: x / 256 - 0.5
    "rtpose": {"colour": "bgr", "mean": (128.0, 128.0, 128.0), "std": (256.0, 256.0, 256.0)},
}
_ORIGINS = {
    "vgg": OriginSpec(
        licence="MIT", origin="https://github.com/tensorboy/pytorch_Realtime_Multi-Person_Pose_Estimation"
    ),
    "rtpose": OriginSpec(
        licence="non-commercial research only, academic or non-profit (CMU OpenPose licence)",
        origin="https://github.com/CMU-Perceptual-Computing-Lab/openpose",
    ),
}


@dataclass(frozen=True)
class OpenPoseVggVariant:
    """``preprocessing`` is what the weights were trained with, and no tensor tells it.

    ``rtpose`` (BGR, x / 256 - 0.5) is for CMU's own weights, pose_model.pth; ``vgg`` (RGB, ImageNet's mean and
    deviation) for pose_model_scratch.pth. The network takes any size in multiples of 8.
    """

    preprocessing: Literal["vgg", "rtpose"] = "vgg"
    width: int = 368
    height: int = 368

    def build(self) -> OpenPoseVgg:
        """Return the network with random weights, in eval mode."""
        return OpenPoseVgg().eval()  # type: ignore[no-any-return, unused-ignore]

    def spec(self) -> ModelSpec:
        """Return the spec of the network as exported."""
        return ModelSpec(
            name="openpose-vgg" if self.preprocessing == "vgg" else "openpose-cmu",
            kind="paf",
            skeleton="openpose18",
            input=InputSpec.model_validate(
                {
                    "name": "input",
                    "width": self.width,
                    "height": self.height,
                    "padding_value": 128,
                    "multiple_of": 8,
                    **_INPUTS[self.preprocessing],
                }
            ),
            outputs={"cmap": "cmap", "paf": "paf"},
            paf=PAF,
            decode=DECODE,
            origin=_ORIGINS[self.preprocessing],
        )


# Targets put cell i at pixel 8 i + 3.5. Limbs 9 and 13 join shoulder and ear: they may add an ear, never join people.
PAF = PafSpec(stride=8, component_order="xy", map_offset=0.5, background_channel=18, attach_only_limbs=(9, 13))
DECODE = DecodeSpec(limb_samples=10)


def identify(shapes: Mapping[str, Sequence[int]]) -> OpenPoseVggVariant | None:
    """Return the variant of a state dict of these shapes, in its order, or None where it is of another family.

    The preprocessing is the one of the freely licensed weights: ``dataclasses.replace`` it for CMU's.
    Raises ModelSpecError where the names are OpenPose's and the shapes are not.
    """
    named = {_plain(key) for key in shapes}
    if not {"model0.0.weight", "model6_2.12.weight"} <= named and not _fits_by_position(shapes):
        return None
    rename(shapes)
    return OpenPoseVggVariant()


def rename(shapes: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Return, for each name in a checkpoint, the network's name of the same tensor.

    Both public spellings are known, also with the ``module.`` of DataParallel in front; tensors of other names are
    taken by their position where all 184 shapes agree. Raises ModelSpecError, which tells the first differences.
    """
    expected = _expected()
    by_name = {key: _plain(key) for key in shapes}
    differing = [
        f"{key} is {_shape(shapes[key])}, not {expected[plain]}"
        for key, plain in by_name.items()
        if plain in expected and _shape(shapes[key]) != expected[plain]
    ]
    problems = differing + [f"{key} is missing" for key in expected.keys() - set(by_name.values())]
    problems += [f"{key} is unknown" for key, plain in by_name.items() if plain not in expected]
    if not problems:
        return by_name
    if _fits_by_position(shapes):
        return dict(zip(shapes, expected))
    raise ModelSpecError(
        f"the checkpoint is no OpenPose network of 18 parts and 6 stages: {'; '.join(sorted(problems)[:3])}",
        hint=f"it has {len(shapes)} tensors; pose_model.pth and its relatives have {len(expected)}",
    )


def _plain(key: str) -> str:
    return key.removeprefix("module.").replace("model0.model.", "model0.", 1)


def _shape(shape: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(side) for side in shape)


def _expected() -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {key: _shape(tensor.shape) for key, tensor in OpenPoseVgg().state_dict().items()}


def _fits_by_position(shapes: Mapping[str, Sequence[int]]) -> bool:
    return [_shape(shape) for shape in shapes.values()] == list(_expected().values())


class OpenPoseVgg(nn.Module):
    """Pictures (N, 3, H, W), sides multiples of 8, to confidence maps and part affinity fields at stride 8.

    In eval mode the result is ``(cmap, paf)`` of the last stage, (N, K + 1, H/8, W/8) with the background last and
    (N, 2L, H/8, W/8); in training mode a list of such pairs, one per stage. ``narrow`` divides all inner channels,
    for trials on a small machine.
    """

    stride = 8
    multiple_of = 8

    def __init__(self, n_parts: int = 18, n_limbs: int = 19, *, n_stages: int = 6, narrow: int = 1) -> None:
        super().__init__()
        self.n_stages = n_stages
        outputs = dict(zip(_BRANCHES, (2 * n_limbs, n_parts + 1)))
        channels = _FEATURE_CHANNELS // narrow
        joined = channels + sum(outputs.values())
        self.model0 = _features(narrow)
        for branch, n_maps in outputs.items():
            for stage in range(1, n_stages + 1):
                first = ((channels, 3),) * 3 + ((512 // narrow, 1), (n_maps, 1))
                later = ((channels, 7),) * 5 + ((channels, 1), (n_maps, 1))
                layers = _stage(channels, first) if stage == 1 else _stage(joined, later)
                self.add_module(f"model{stage}_{branch}", layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        features = self.model0(pictures)
        joined, stages = features, []
        for stage in range(1, self.n_stages + 1):
            paf, cmap = (self.get_submodule(f"model{stage}_{branch}")(joined) for branch in _BRANCHES)
            stages.append((cmap, paf))
            joined = torch.cat((paf, cmap, features), dim=1)
        return stages if self.training else stages[-1]

    def vgg_layers(self) -> list[nn.Conv2d]:
        """Return the ten convolutions that ImageNet can fill, and that training may hold still at first."""
        return [layer for layer in self.model0 if isinstance(layer, nn.Conv2d)][:_N_VGG_LAYERS]


def start_from_vgg19(network: OpenPoseVgg, file: Path | None = None) -> None:
    """Fill the VGG layers from ImageNet's: torchvision's ``vgg19`` state dict in ``file``, or fetched by torchvision.

    Raises ModelNotFoundError where there is none, ModelSpecError where it is of another network.
    """
    weights = _vgg19_weights(file)
    for index, layer in enumerate(network.model0):
        if not isinstance(layer, nn.Conv2d) or not any(layer is own for own in network.vgg_layers()):
            continue
        for name, parameter in layer.named_parameters():
            tensor = weights.get(f"features.{index}.{name}")
            if tensor is None or tensor.shape != parameter.shape:
                found = "missing" if tensor is None else str(_shape(tensor.shape))
                raise ModelSpecError(
                    f"features.{index}.{name} is {found}, OpenPose needs {_shape(parameter.shape)}",
                    hint="give the state dict of torchvision's vgg19 and a network of full width",
                )
            with torch.no_grad():
                parameter.copy_(tensor)


def _vgg19_weights(file: Path | None) -> Mapping[str, Tensor]:
    try:
        if file is None:
            from torchvision.models import VGG19_Weights

            fetched: Mapping[str, Tensor] = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
            return fetched
        loaded: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, URLError) as error:
        raise ModelNotFoundError(
            f"cannot get VGG19's weights{'' if file is None else f' from {file}'}: {error}",
            hint="fetch vgg19-dcbb9e9d.pth of torchvision on another machine and name the file",
        ) from error
    except (RuntimeError, UnpicklingError) as error:
        raise ModelSpecError(f"{file} is no state dict: {error}", hint="fetch the file again") from error
    return loaded


def _features(narrow: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for entry in _FEATURES:
        if isinstance(entry, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, entry // narrow, 3, padding=1), nn.ReLU(inplace=True)]
        channels = entry // narrow
    return nn.Sequential(*layers)


def _stage(channels: int, layers: Sequence[tuple[int, int]]) -> nn.Sequential:
    """Return convolutions of these output channels and kernels, with ReLUs between them."""
    modules: list[nn.Module] = []
    for out_channels, kernel in layers:
        modules += [nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        channels = out_channels
    return nn.Sequential(*modules[:-1])

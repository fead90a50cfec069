"""trt_pose's networks by their names, such as ``models.resnet18_baseline_att(18, 42)``. They need torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def __getattr__(name: str) -> Callable[..., Any]:
    if not name.endswith(("_baseline", "_baseline_att")):
        raise AttributeError(f"trt_pose has no network {name!r}")

    def build(
        cmap_channels: int,
        paf_channels: int,
        upsample_channels: int = 256,
        pretrained: bool = False,
        num_upsample: int = 3,
        num_flat: int = 0,
    ) -> Any:
        """Return the network with random weights; ``pretrained`` fetches the backbone's, which the original always did
        although a checkpoint follows."""
        from trt_pose_app.networks.paf_attention import build_paf_attention

        return build_paf_attention(
            name,
            cmap_channels,
            paf_channels,
            upsample_channels=upsample_channels,
            num_upsample=num_upsample,
            num_flat=num_flat,
            imagenet=pretrained,
        )

    return build

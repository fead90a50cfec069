"""The loss of one batch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def map_loss(
    stages: Sequence[tuple[Tensor, Tensor]],
    cmap: Tensor,
    paf: Tensor,
    cmap_weight: Tensor,
    paf_weight: Tensor,
    *,
    foreground_weight: float,
) -> Tensor:
    """Return the sum over stages and both kinds of maps of mean(weight * (1 + f |target|) * (map - target)^2).

    Most cells are empty: the foreground weight f keeps them from drowning the keypoints.
    """
    total = cmap.new_zeros(())
    for target, weight, kind in ((cmap, cmap_weight, 0), (paf, paf_weight, 1)):
        scale = weight * (1 + foreground_weight * target.abs())
        for stage in stages:
            total = total + (scale * (stage[kind].float() - target) ** 2).mean()
    return total

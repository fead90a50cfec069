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
) -> tuple[Tensor, Tensor]:
    """Return, for confidence maps and for fields, the sum over stages of mean(weight * (1 + f |target|) * error^2).

    Most cells are empty: the foreground weight f keeps them from drowning the keypoints.
    """
    losses = []
    for target, weight, kind in ((cmap, cmap_weight, 0), (paf, paf_weight, 1)):
        scale = weight * (1 + foreground_weight * target.abs())
        total = cmap.new_zeros(())
        for stage in stages:
            total = total + (scale * (stage[kind].float() - target) ** 2).mean()
        losses.append(total)
    return losses[0], losses[1]

"""PoseFix's losses: which cell a keypoint is in, and where exactly."""

from __future__ import annotations

import torch
from torch import Tensor


def refine_loss(logits: Tensor, found: Tensor, truth: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the maps and the distance of the coordinates, each a mean over all keypoints.

    ``logits`` (N, K, H, W). ``found``, the soft-argmax, and ``truth`` (N, K, 2) are in cells; ``weight`` is (N, K). The
    cross-entropy's target shares 1 among the four cells around the truth, as bilinear interpolation does; the distance
    is the mean of |dx| and |dy|.
    """
    height, width = logits.shape[2:]
    log_share = logits.flatten(2).log_softmax(dim=2)
    limit = torch.tensor([width - 1, height - 1], dtype=truth.dtype, device=truth.device)
    place = torch.minimum(truth.clamp(min=0), limit)
    low = place.floor()
    part = place - low
    high = torch.minimum(low + 1, limit)
    entropy = torch.zeros_like(weight)
    for y, share_y in ((low[..., 1], 1 - part[..., 1]), (high[..., 1], part[..., 1])):
        for x, share_x in ((low[..., 0], 1 - part[..., 0]), (high[..., 0], part[..., 0])):
            cell = (y * width + x).long()[..., None]
            entropy = entropy - share_x * share_y * log_share.gather(2, cell)[..., 0]
    distance = (found - truth).abs().mean(dim=2)
    return (weight * entropy).mean(), (weight * distance).mean()

"""What ``native/fused.hpp`` does, in numpy: a network's own peaks and limb scores, read and made into people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.paf_reference import LEAST_PEAK, LINKS_PER_PEAK, Floats, Link, Parser, Peaks, People

PEAK_FACTS = 5  # x, y, score, column, row

_LARGEST = np.finfo(np.float32).max
_FARTHEST_CELL = 1 << 15


class FusedParser(Parser):
    """The parser for networks that find peaks and score limbs themselves. Its arguments are ``Parser``'s."""

    def finish(self, peaks: Floats, limbs: Floats, to_frame: list[NDArray[np.float64]]) -> list[People]:
        """Return (xy, score, person, box, track) for every frame of the batch."""
        with np.errstate(all="ignore"):  # garbage overflows, and is rejected by value
            return [self._finish(*frame) for frame in zip(peaks, limbs, to_frame)]

    def _finish(self, peaks: Floats, limbs: Floats, affine: NDArray[np.float64]) -> People:
        ranks = [_ranks(part, self._peak_threshold, self._max_peaks) for part in peaks]
        found = [Peaks(part[kept, :2], np.minimum(part[kept, 2], np.float32(1))) for part, kept in zip(peaks, ranks)]
        links: list[Link] = []
        for i, (a, b, *_) in enumerate(self._limbs):
            mean = limbs[i][np.ix_(ranks[a], ranks[b])]
            strength = mean * np.sqrt(found[a].score[:, None] * found[b].score[None])
            rows, columns = np.nonzero((mean > 0) & (mean <= _LARGEST) & (strength > 0))
            values = (strength[rows, columns].tolist(), mean[rows, columns].tolist(), rows.tolist(), columns.tolist())
            of_limb = [Link(one, affinity, i, row, column) for one, affinity, row, column in zip(*values)]
            of_limb.sort(key=lambda link: -link.strength)
            links += sorted(of_limb[: LINKS_PER_PEAK * self._max_peaks], key=lambda link: (link.a, link.b))
        return self._write(self._rank(self._group(links), found), found, affine)


def _ranks(part: Floats, threshold: np.float32, max_peaks: int) -> NDArray[np.intp]:
    """Return which rows of a part's peaks (K, 5) count, in raster order: one per plateau, the strongest."""
    place, score = part[:, [0, 1, 3, 4]], part[:, 2]
    sound = ((place >= -1) & (place <= _FARTHEST_CELL)).all(axis=1)
    sound &= (score >= max(threshold, LEAST_PEAK)) & (score <= _LARGEST)
    (rows,) = np.nonzero(sound)
    left = rows[np.lexsort((rows, part[rows, 3], part[rows, 4]))].tolist()
    centres = []
    while left:
        plateau = [left.pop(0)]
        for one in plateau:  # grows while it is walked
            beside = [other for other in left if _are_beside(part[one], part[other])]
            plateau += beside
            left = [other for other in left if other not in beside]
        cells = part[plateau, 3:].astype(np.float64)
        distance = ((len(cells) * cells - cells.sum(axis=0)) ** 2).sum(axis=1)
        nearest = np.flatnonzero(distance == distance.min())
        centres.append(plateau[min(nearest, key=lambda i: (cells[i][1], cells[i][0]))])
    kept = np.array(centres, np.intp)
    strongest = np.argsort(-score[kept], kind="stable")[:max_peaks]
    return kept[np.sort(strongest)]


def _are_beside(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return bool(one[2] == other[2] and (abs(one[3:] - other[3:]) <= 1).all())

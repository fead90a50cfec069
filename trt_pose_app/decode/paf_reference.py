"""The part-affinity parser in numpy: the same people as ``native/paf.hpp``, operation by operation in float32.

It takes over where the extension could not be built, and it is what the tests hold the extension against. Steps:
peaks of the confidence maps, links between peaks along the affinity maps, people out of links.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
People = tuple[Floats, Floats, Floats, Floats, NDArray[np.int32]]

LEAST_PEAK = np.float32(1e-30)  # a score of 0 means missing, so zeros and denormals are never peaks
LEAST_LENGTH_SQUARED = np.float32(1e-12)  # two peaks in one place have no direction
LINKS_PER_PEAK = 4  # per limb, times max_peaks: bounds the work on garbage, far above any crowd

_LARGEST = np.finfo(np.float32).max
_NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


@dataclass(frozen=True, slots=True)
class Peaks:
    """The maxima of one part: ``xy`` (n, 2) in cells, ``score`` (n,) in (0, 1], in raster order."""

    xy: Floats
    score: Floats


@dataclass(frozen=True, slots=True)
class Link:
    """A plausible limb between peak ``a`` of its first part and peak ``b`` of its second."""

    strength: float  # what the greedy order goes by
    affinity: float  # mean of the field along the limb
    limb: int
    a: int
    b: int


@dataclass(slots=True, eq=False)
class _Person:
    parts: dict[int, int] = field(default_factory=dict)  # part -> peak
    affinity: float = 0.0
    links: int = 0


class Parser:
    """Turns confidence and affinity maps into people. The arguments are those of the compiled ``_paf.Parser``."""

    def __init__(
        self,
        *,
        part_channels: list[int],
        limbs: list[tuple[int, int, int, int, bool]],
        peak_threshold: float,
        limb_threshold: float,
        limb_samples: int,
        needed_samples: int,
        max_peaks: int,
        max_people: int,
        min_keypoints: int,
        min_person_score: float,
    ) -> None:
        self._part_channels = part_channels
        self._limbs = limbs
        self._peak_threshold = np.float32(peak_threshold)
        self._limb_threshold = np.float32(limb_threshold)
        self._needed_samples = needed_samples
        self._max_peaks = max_peaks
        self._max_people = max_people
        self._min_keypoints = min_keypoints
        self._min_person_score = np.float32(min_person_score)
        self._steps = middle_out(limb_samples)

    def decode(self, cmap: NDArray[Any], paf: NDArray[Any], to_frame: list[NDArray[np.float64]]) -> list[People]:
        """Return (xy, score, person, box, track) for every frame of the batch."""
        # Garbage overflows and makes NaN; both are then rejected by value.
        with np.errstate(all="ignore"):
            return [
                self._decode_frame(one_cmap.astype(np.float32), one_paf.astype(np.float32), affine)
                for one_cmap, one_paf, affine in zip(cmap, paf, to_frame)
            ]

    def _decode_frame(self, cmap: Floats, paf: Floats, affine: NDArray[np.float64]) -> People:
        peaks = [find_peaks(cmap[c], self._peak_threshold, self._max_peaks) for c in self._part_channels]
        links: list[Link] = []
        for i, (a, b, x_channel, y_channel, _) in enumerate(self._limbs):
            found = score_limb(
                i, paf[x_channel], paf[y_channel], peaks[a], peaks[b], self._steps, self._limb_threshold,
                self._needed_samples,
            )  # fmt: skip
            found.sort(key=lambda link: -link.strength)
            links += sorted(found[: LINKS_PER_PEAK * self._max_peaks], key=lambda link: (link.a, link.b))
        return self._write(self._rank(self._group(links), peaks), peaks, affine)

    def _group(self, links: list[Link]) -> list[_Person]:
        """Return people out of links, strongest link first, never two of one part in a person."""
        people: list[_Person] = []
        owner: dict[tuple[int, int], _Person] = {}

        def give(person: _Person, part: int, peak: int) -> None:
            person.parts[part] = peak
            owner[part, peak] = person

        # Limbs that only attach come last; the sort is stable, so equals stay as they were made.
        for link in sorted(links, key=lambda link: (self._limbs[link.limb][4], -link.strength)):
            a, b, _, _, attach_only = self._limbs[link.limb]
            p, q = owner.get((a, link.a)), owner.get((b, link.b))
            if p is None and q is None:
                if attach_only:
                    continue
                p = _Person()
                people.append(p)
                give(p, a, link.a)
                give(p, b, link.b)
            elif p is None or q is None:
                part, peak = (a, link.a) if p is None else (b, link.b)
                p = p or q
                if p is None or part in p.parts:
                    continue
                give(p, part, peak)
            elif p is not q:
                if attach_only or p.parts.keys() & q.parts.keys():
                    continue
                for part, peak in q.parts.items():
                    give(p, part, peak)
                p.affinity += q.affinity
                p.links += q.links
                q.parts = {}
            p.affinity += link.affinity
            p.links += 1
        return [person for person in people if person.parts]

    def _rank(self, people: list[_Person], peaks: list[Peaks]) -> list[tuple[np.float32, _Person]]:
        """Return the people who pass with their scores, best first, older first among equals."""
        passing = []
        for person in people:
            total = 0.0
            for part in sorted(person.parts):
                total += float(peaks[part].score[person.parts[part]])
            # Sure points, sure links, and many of them: mean peak x mean affinity x share of the skeleton.
            affinity = min(person.affinity / person.links, 1.0)
            score = np.float32(np.sqrt(total / len(self._part_channels) * affinity))
            if len(person.parts) >= self._min_keypoints and score >= self._min_person_score:
                passing.append((score, person))
        return sorted(passing, key=lambda scored: -scored[0])[: self._max_people]

    def _write(
        self, ranked: list[tuple[np.float32, _Person]], peaks: list[Peaks], affine: NDArray[np.float64]
    ) -> People:
        shape = (len(ranked), len(self._part_channels))
        xy = np.full((*shape, 2), np.nan, np.float32)
        score = np.zeros(shape, np.float32)
        (xx, xy_, x0), (yx, yy, y0) = affine.tolist()
        for n, (_, person) in enumerate(ranked):
            for part, peak in person.parts.items():
                x, y = peaks[part].xy[peak].tolist()
                xy[n, part] = xx * x + xy_ * y + x0, yx * x + yy * y + y0
                score[n, part] = peaks[part].score[peak]
        box = np.empty((len(ranked), 4), np.float32)
        if ranked:
            box[:, :2], box[:, 2:] = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
        person_score = np.array([one for one, _ in ranked], np.float32)
        return xy, score, person_score, box, np.full(len(ranked), -1, np.int32)


def find_peaks(cmap: Floats, threshold: np.float32, max_peaks: int) -> Peaks:
    """Return the local maxima of one map (H, W): one per plateau, the strongest ``max_peaks``, in raster order."""
    height, width = cmap.shape
    high = (cmap >= max(threshold, LEAST_PEAK)) & (cmap <= _LARGEST)
    padded = np.full((height + 2, width + 2), np.nan, np.float32)  # NaN is neither higher nor equal
    padded[1:-1, 1:-1] = cmap
    equal = np.zeros_like(high)
    for dy, dx in _NEIGHBOURS:
        neighbour = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        high &= ~(neighbour > cmap)
        equal |= neighbour == cmap
    flat = cmap.ravel()
    alone = np.flatnonzero(high & ~equal)
    cells = np.sort(np.concatenate([alone, _plateau_centres(cmap, np.flatnonzero(high & equal))])).astype(np.intp)
    strongest = np.argsort(-flat[cells], kind="stable")[:max_peaks]
    cells = cells[np.sort(strongest)]
    y, x = np.divmod(cells, max(width, 1))
    return Peaks(_refine(padded, y, x), np.minimum(flat[cells], np.float32(1)))


def _plateau_centres(cmap: Floats, seeds: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, for each plateau with no higher neighbour, its cell nearest the centroid."""
    height, width = cmap.shape
    values = cmap.tolist()
    visited: set[int] = set()
    centres = []
    for seed in seeds.tolist():
        if seed in visited:
            continue
        value = values[seed // width][seed % width]
        cells = [seed]
        visited.add(seed)
        highest = True
        for cell in cells:  # grows while it is walked
            y, x = divmod(cell, width)
            for ny in range(max(y - 1, 0), min(y + 2, height)):
                for nx in range(max(x - 1, 0), min(x + 2, width)):
                    neighbour = ny * width + nx
                    highest &= not values[ny][nx] > value
                    if values[ny][nx] == value and neighbour not in visited:
                        visited.add(neighbour)
                        cells.append(neighbour)
        if highest:
            y, x = np.divmod(np.array(sorted(cells)), width)
            distance = (len(cells) * x - float(x.sum())) ** 2 + (len(cells) * y - float(y.sum())) ** 2
            centres.append(sorted(cells)[int(np.argmin(distance))])
    return np.array(centres, np.intp)


def _refine(padded: Floats, y: NDArray[np.intp], x: NDArray[np.intp]) -> Floats:
    """Return the peaks (n, 2) of the Gaussians through the cells and their four neighbours; none leaves its cell."""
    centre = padded[y + 1, x + 1]
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    # Below a hundredth of the peak there is only noise, and no logarithm for what is negative.
    least = centre * np.float32(0.01)

    def flank(dy: int, dx: int) -> NDArray[np.float64]:
        neighbour = padded[y + 1 + dy, x + 1 + dx]
        logarithm = np.log(np.where(neighbour > least, neighbour, least).astype(np.float64) / centre)
        outside = (y + dy < 0) | (y + dy >= height) | (x + dx < 0) | (x + dx >= width)
        return np.where(outside, np.nan, logarithm)

    left, right, up, down = flank(0, -1), flank(0, 1), flank(-1, 0), flank(1, 0)
    across, along = -(left + right), -(up + down)  # inverse variances, NaN where a side is missing
    refined = [
        np.clip(position + _offset(low, high, own, other), position - 0.5, position + 0.5)
        for position, low, high, own, other in ((x, left, right, across, along), (y, up, down, along, across))
    ]
    xy: Floats = np.stack(refined, axis=1).astype(np.float32)
    return xy


def _offset(
    low: NDArray[np.float64], high: NDArray[np.float64], curvature: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    inside = np.where(curvature > 0, 0.5 * (high - low) / curvature, 0.0)
    # At the map's edge the other axis lends its width.
    at_edge = np.where(np.isnan(low), 0.5 + high / other, -0.5 - low / other)
    at_edge = np.where((other > 0) & ~np.isnan(at_edge), at_edge, 0.0)
    return np.where(np.isnan(curvature), at_edge, inside)


def middle_out(samples: int) -> Floats:
    """Return where along a limb to look, 0..1, the middle first: a wrong pair has no affinity there."""
    middle = (samples - 1) // 2
    order = [middle - i // 2 if i % 2 == 0 else middle + (i + 1) // 2 for i in range(samples)]
    steps: Floats = np.array(order, np.float32) / np.float32(samples - 1)
    return steps


def score_limb(
    limb: int, paf_x: Floats, paf_y: Floats, a: Peaks, b: Peaks, steps: Floats, threshold: np.float32, needed: int
) -> list[Link]:
    """Return the links between the peaks ``a`` and ``b`` that the field (H, W) bears out, by a, then b."""
    if not len(a.xy) or not len(b.xy):
        return []
    height, width = paf_x.shape
    corner = np.array([width - 1, height - 1], np.float32)
    start, end = (np.clip(peaks.xy, np.float32(0), corner) for peaks in (a, b))
    delta = end[None] - start[:, None]
    dx, dy = delta[..., 0], delta[..., 1]
    squared = dx * dx + dy * dy
    # The direction is never normalised: a component c of a vector of length d is more than t if c^2 > t^2 d^2.
    least_squared = threshold * threshold * squared
    total = np.zeros_like(squared)
    agreed = np.zeros(squared.shape, np.intp)
    for t in steps:  # summed one by one, as the compiled parser does
        along = _component(paf_x, paf_y, start[:, None, 0] + t * dx, start[:, None, 1] + t * dy, dx, dy)
        agreed += (along > 0) & (along * along > least_squared)
        total += along
    mean = total / (np.float32(len(steps)) * np.sqrt(squared))
    strength = mean * np.sqrt(a.score[:, None] * b.score[None])
    passes = (squared > LEAST_LENGTH_SQUARED) & (agreed >= needed) & (mean > 0) & (mean <= _LARGEST) & (strength > 0)
    rows, columns = np.nonzero(passes)
    values = (strength[rows, columns].tolist(), mean[rows, columns].tolist(), rows.tolist(), columns.tolist())
    return [Link(one, affinity, limb, i, j) for one, affinity, i, j in zip(*values)]


def _component(paf_x: Floats, paf_y: Floats, x: Floats, y: Floats, dx: Floats, dy: Floats) -> Floats:
    """Return the field's component in the direction (dx, dy) at (x, y), sampled bilinearly, times the length."""
    height, width = paf_x.shape
    x0, y0 = x.astype(np.intp), y.astype(np.intp)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = x - x0.astype(np.float32), y - y0.astype(np.float32)

    def at(column: NDArray[np.intp]) -> Floats:
        top_x, top_y = paf_x[y0, column], paf_y[y0, column]
        between: Floats = (top_x + fy * (paf_x[y1, column] - top_x)) * dx
        between += (top_y + fy * (paf_y[y1, column] - top_y)) * dy
        return between

    left, right = at(x0), at(x1)
    along: Floats = left + fx * (right - left)
    return along

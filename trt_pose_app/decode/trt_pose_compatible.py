"""The original trt_pose parser's results, defects included, for programs that were tuned to them.

``parse`` returns what ``trt_pose.parse_objects.ParseObjects`` computes, intermediate results too, in numpy and in the
same float32 steps. Unlike the original it ends for NaN and infinity and reads nothing outside its arrays. New programs
want ``PafDecoder``: docs/decoding.md lists what is wrong here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.errors import DecodeError

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Parsed:
    """One frame: per part its ``peaks`` (n, 2) row and column and ``normalized_peaks`` (n, 2) y and x in [0, 1]; per
    limb the ``connections`` between peaks as (a, b) pairs; ``objects`` (N, C) peak indices, -1 where missing."""

    peaks: list[Ints]
    normalized_peaks: list[Floats]
    connections: list[list[tuple[int, int]]]
    objects: Ints


def parse(
    cmap: NDArray[Any],
    paf: NDArray[Any],
    topology: NDArray[np.integer],
    *,
    cmap_threshold: float = 0.1,
    link_threshold: float = 0.1,
    cmap_window: int = 5,
    line_integral_samples: int = 7,
    max_num_parts: int = 100,
    max_num_objects: int = 100,
) -> Parsed:
    """Return the objects of one frame.

    ``cmap`` (C, H, W) and ``paf`` (channels, H, W) are float; ``topology`` (K, 4) has the rows (paf channel of y, paf
    channel of x, source part, sink part). Raises DecodeError for other shapes.
    """
    if cmap.ndim != 3 or paf.ndim != 3 or cmap.shape[1:] != paf.shape[1:] or topology.shape[1:] != (4,):
        raise DecodeError(
            f"cmap {cmap.shape}, paf {paf.shape}, topology {topology.shape} do not fit together",
            hint="give (C, H, W), (2K, H, W) and (K, 4), one frame at a time",
        )
    if len(topology) and (
        topology[:, :2].max() >= len(paf) or topology[:, 2:].max() >= len(cmap) or topology.min() < 0
    ):
        raise DecodeError("the topology names a channel that is not there", hint="use the network's own topology")
    cmap, paf = cmap.astype(np.float32), paf.astype(np.float32)
    window = cmap_window // 2
    with np.errstate(all="ignore"):
        peaks = [_find_peaks(one, np.float32(cmap_threshold), window, max_num_parts) for one in cmap]
        refined = [_refine(one, of_part, window) for one, of_part in zip(cmap, peaks)]
        connections = []
        for channel_y, channel_x, a, b in topology.tolist():
            scores = _score(paf[channel_y], paf[channel_x], refined[a], refined[b], line_integral_samples)
            pairs = assign(-scores)
            connections.append([(i, j) for i, j in pairs if scores[i, j] > np.float32(link_threshold)])
    objects = _connect([len(of_part) for of_part in peaks], connections, topology[:, 2:].tolist(), max_num_objects)
    return Parsed(peaks, refined, connections, objects)


def _find_peaks(cmap: Floats, threshold: np.float32, window: int, limit: int) -> Ints:
    height, width = cmap.shape
    padded = np.pad(cmap, window, constant_values=-np.inf)
    highest = np.full_like(cmap, -np.inf)
    for dy in range(2 * window + 1):
        for dx in range(2 * window + 1):
            np.fmax(highest, padded[dy : dy + height, dx : dx + width], out=highest)
    # In raster order until the limit: the original keeps the topmost, not the strongest.
    return np.argwhere((cmap >= threshold) & ~(highest > cmap))[:limit].astype(np.int32)


def _refine(cmap: Floats, peaks: Ints, window: int) -> Floats:
    height, width = cmap.shape
    rows, columns = peaks[:, 0], peaks[:, 1]
    sums = np.zeros((len(peaks), 2), np.float32)
    weights = np.zeros(len(peaks), np.float32)
    for dy in range(-window, window + 1):
        for dx in range(-window, window + 1):
            y, x = rows + dy, columns + dx
            weight = cmap[_reflect(y, height), _reflect(x, width)]
            sums[:, 0] += weight * y.astype(np.float32)
            sums[:, 1] += weight * x.astype(np.float32)
            weights += weight
    size = np.array([height, width], np.float32)
    refined: Floats = (sums / weights[:, None] + np.float32(0.5)) / size
    return refined


def _reflect(index: Ints, size: int) -> Ints:
    reflected = np.where(index < 0, -index, np.where(index >= size, 2 * size - index - 2, index))
    inside: Ints = np.clip(reflected, 0, size - 1)  # a map smaller than the window
    return inside


def _score(paf_y: Floats, paf_x: Floats, a: Floats, b: Floats, samples: int) -> Floats:
    size = np.array(paf_y.shape, np.float32)
    start, end = (a * size)[:, None], (b * size)[None]
    delta = end - start
    dy, dx = delta[..., 0], delta[..., 1]
    length = (np.sqrt(dy * dy + dx * dx).astype(np.float64) + 1e-5).astype(np.float32)
    uy, ux = dy / length, dx / length
    total = np.zeros(length.shape, np.float32)
    for t in range(samples):
        place = start + np.float32(t) / np.float32(samples - 1) * delta
        # Truncation towards zero, so that (-1, 0) counts as the first cell.
        inside = ((place > -1) & (place < size)).all(axis=-1)
        y, x = (np.where(inside, place[..., axis], 0).astype(np.intp) for axis in (0, 1))
        total += np.where(inside, paf_y[y, x] * uy + paf_x[y, x] * ux, np.float32(0))
    # The original never ends for a score that is not finite.
    scores: Floats = np.nan_to_num(total / np.float32(samples), nan=0.0, posinf=0.0, neginf=0.0)
    return scores


def assign(cost: Floats) -> list[tuple[int, int]]:
    """Return the (row, column) pairs of a cheapest assignment, by Munkres' method in the original's order."""
    cost = cost.copy()
    n_rows, n_columns = cost.shape
    if not cost.size:
        return []
    if n_columns >= n_rows:
        cost -= cost.min(axis=1, keepdims=True)
    if n_columns <= n_rows:
        cost -= cost.min(axis=0, keepdims=True)
    star_of_row = np.full(n_rows, -1)
    star_of_column = np.full(n_columns, -1)
    for i, j in np.argwhere(cost == 0).tolist():
        if star_of_row[i] < 0 and star_of_column[j] < 0:
            star_of_row[i], star_of_column[j] = j, i
    for _ in range(min(n_rows, n_columns)):  # every round adds a star
        if (star_of_row >= 0).sum() >= min(n_rows, n_columns):
            break
        if not _augment(cost, star_of_row, star_of_column):
            break
    return [(i, j) for i, j in enumerate(star_of_row.tolist()) if j >= 0]


def _augment(cost: Floats, star_of_row: NDArray[np.intp], star_of_column: NDArray[np.intp]) -> bool:
    """Add one star, changing ``cost`` and the stars in place. Returns False if rounding keeps it from doing so."""
    n_rows, n_columns = cost.shape
    row_covered = np.zeros(n_rows, bool)
    column_covered = star_of_column >= 0
    prime_of_row = np.full(n_rows, -1)
    for _ in range(n_rows * n_columns + 1):  # far above what exact arithmetic needs
        zero = cost == 0
        open_zero = zero & ~column_covered
        row = 0
        while row < n_rows:
            candidates = open_zero[row:].any(axis=1) & ~row_covered[row:]
            if not candidates.any():
                break
            row += int(candidates.argmax())
            column = int(open_zero[row].argmax())
            prime_of_row[row] = column
            star = star_of_row[row]
            if star < 0:
                _flip(row, column, prime_of_row, star_of_row, star_of_column)
                return True
            row_covered[row] = True
            column_covered[star] = False
            open_zero[:, star] = zero[:, star]
            row += 1
        uncovered = cost[np.ix_(~row_covered, ~column_covered)]
        if not uncovered.size:
            return False
        least = uncovered.min()
        cost[row_covered] += least
        cost[:, ~column_covered] -= least
    return False


def _flip(
    row: int,
    column: int,
    prime_of_row: NDArray[np.intp],
    star_of_row: NDArray[np.intp],
    star_of_column: NDArray[np.intp],
) -> None:
    while True:
        starred = int(star_of_column[column])
        star_of_row[row], star_of_column[column] = column, row
        if starred < 0:
            return
        row, column = starred, int(prime_of_row[starred])


def _connect(counts: list[int], connections: list[list[tuple[int, int]]], limbs: list[list[int]], limit: int) -> Ints:
    neighbours: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (a, b), pairs in zip(limbs, connections):
        for i, j in pairs:
            neighbours.setdefault((a, i), []).append((b, j))
            neighbours.setdefault((b, j), []).append((a, i))
    visited: set[tuple[int, int]] = set()
    objects: list[list[int]] = []
    for part, count in enumerate(counts):
        for i in range(count):
            if len(objects) >= limit or (part, i) in visited:
                continue
            members = [-1] * len(counts)
            queue = deque([(part, i)])
            while queue:
                node = queue.popleft()
                if node in visited:
                    continue
                visited.add(node)
                members[node[0]] = node[1]  # a second peak of one part replaces the first
                queue.extend(neighbours.get(node, ()))
            objects.append(members)
    return np.array(objects, np.int32).reshape(-1, len(counts))

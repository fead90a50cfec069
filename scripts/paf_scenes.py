"""Crowds with a known answer, and the network outputs that a good trt_pose network would give for them.

A scene is a JSON object ``{"layout", "people", "seed", "keypoints"}``; its keypoints are COCO18 points normalised to
[0, 1] of the map, null where not visible. ``maps`` turns a scene into noisy confidence and affinity maps,
``recovered`` counts the people that a decoder gave back, ``garbage`` makes the frames that hurt a parser most.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.paf import PafLayout
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import COCO18

NOISE = 0.03
SPREAD = 0.025  # of the map's height: trt_pose's ``stdev`` for its _A networks
STRIDE = 4
LAYOUT = PafLayout(COCO18.limbs, component_order="yx", stride=STRIDE, map_offset=0.5)

Maps = dict[str, NDArray[np.float32]]


def read_scenes(path: Path) -> list[dict[str, Any]]:
    """Return the scenes of a file ``{"scenes": [...]}``."""
    scenes: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["scenes"]
    return scenes


def select(scenes: Sequence[dict[str, Any]], layout: str, people: int) -> list[dict[str, Any]]:
    """Return the scenes of one layout and number of people, in the order of their seeds."""
    chosen = (scene for scene in scenes if scene["layout"] == layout and scene["people"] == people)
    return sorted(chosen, key=lambda scene: scene["seed"])


def points(scene: dict[str, Any], size: int) -> NDArray[np.float64]:
    """Return the people's keypoints (N, 18, 2) in cells, cell centres at integers, NaN where not visible."""
    missing = [np.nan, np.nan]
    people = [[missing if point is None else point for point in person] for person in scene["keypoints"]]
    return np.asarray(people, dtype=np.float64).reshape(-1, len(COCO18), 2) * size - 0.5


def maps(scene: dict[str, Any], size: int, *, noise: float = NOISE) -> Maps:
    """Return ``cmap`` (1, 18, size, size) and ``paf`` (1, 42, size, size) float32 of a scene, with noise.

    Every person has an amplitude a in [0.45, 1). cmap is the maximum over people of a Gaussian a exp(-d^2 / s^2),
    paf the sum of a times the limb's unit vector times exp(-(distance to the limb)^2 / s^2), y before x.
    """
    rng = np.random.default_rng([scene["seed"], len(scene["keypoints"]), size])
    spread = SPREAD * size
    window = int(5 * spread)
    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    cmap = np.zeros((len(COCO18), size, size))
    paf = np.zeros((2 * len(COCO18.limbs), size, size))
    for person in points(scene, size):
        amplitude = rng.uniform(0.45, 1.0)
        for part, (x, y) in enumerate(person):
            if np.isnan(x):
                continue
            near = (abs(rows - y) <= window) & (abs(columns - x) <= window)
            bump = amplitude * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / spread**2)
            np.maximum(cmap[part], np.where(near, bump, 0), out=cmap[part])
        for limb, (a, b) in enumerate(COCO18.limbs):
            (ax, ay), (bx, by) = person[a], person[b]
            length = np.hypot(bx - ax, by - ay)
            if not length > 0:  # a point is not visible, or both are one
                continue
            ux, uy = (bx - ax) / length, (by - ay) / length
            along = np.clip((columns - ax) * ux + (rows - ay) * uy, 0, length)
            squared = (columns - ax - along * ux) ** 2 + (rows - ay - along * uy) ** 2
            strength = amplitude * np.exp(-squared / spread**2)
            paf[2 * limb] += uy * strength
            paf[2 * limb + 1] += ux * strength
    return {
        name: (field + noise * _smooth_noise(rng, field.shape)).astype(np.float32)[None]
        for name, field in (("cmap", cmap), ("paf", paf))
    }


def geometry(size: int) -> Geometry:
    """Return the geometry under which a frame is the network's input: one cell is STRIDE frame pixels."""
    return Geometry.stretch((STRIDE * size, STRIDE * size), (STRIDE * size, STRIDE * size))


def recovered(scene: dict[str, Any], size: int, xy: NDArray[np.floating]) -> int:
    """Return how many people of the scene are at least half recovered by the decoded ``xy`` (N, 18, 2) frame pixels.

    One decoded person must hold at least half of the true one's visible points within 1.5 cells, and none of
    the other true people may have more points in it.
    """
    truth = points(scene, size)
    decoded = (np.asarray(xy, dtype=np.float64) - 0.5 * (STRIDE - 1)) / STRIDE
    if not len(truth) or not len(decoded):
        return 0
    distance = np.linalg.norm(decoded[:, None] - truth[None], axis=3)  # (decoded, true, part); NaN is never near
    held = (distance <= 1.5).sum(axis=2)
    visible = (~np.isnan(truth[..., 0])).sum(axis=1)
    claims = (2 * held >= visible) & (held == held.max(axis=1, keepdims=True)) & (held > 0)
    return int(claims.any(axis=0).sum())


def garbage(size: int) -> Iterator[tuple[str, Maps]]:
    """Yield named frames that no network should give and every decoder must survive in bounded time."""
    rng = np.random.default_rng(0)
    shapes = {"cmap": (1, len(COCO18), size, size), "paf": (1, 2 * len(COCO18.limbs), size, size)}

    def filled(cmap: Any, paf: Any) -> Maps:
        return {
            "cmap": np.broadcast_to(np.asarray(cmap, np.float32), shapes["cmap"]).copy(),
            "paf": np.broadcast_to(np.asarray(paf, np.float32), shapes["paf"]).copy(),
        }

    yield "white noise", filled(rng.uniform(0, 1, shapes["cmap"]), rng.normal(0, 1, shapes["paf"]))
    yield "white noise, constant paf", filled(rng.uniform(0, 1, shapes["cmap"]), 0.7)
    grid = np.zeros((size, size))
    grid[::3, ::3] = 1
    yield "grid of ties, constant paf", filled(grid, 1)
    tight = np.zeros((size, size))
    tight[::2, ::2] = 1
    yield "tight grid of ties, constant paf", filled(tight, 1)
    yield "constant", filled(1, 1)
    yield "NaN", filled(np.nan, np.nan)
    yield "infinity", filled(np.inf, np.inf)
    yield "NaN paf", filled(rng.uniform(0, 1, shapes["cmap"]), np.nan)
    yield "infinite paf", filled(rng.uniform(0, 1, shapes["cmap"]), np.inf)
    yield "denormals", filled(np.float32(1e-42), np.float32(1e-42))


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return Gaussian noise of unit deviation, correlated by the 3x3 binomial kernel."""
    channels, height, width = shape
    white = rng.standard_normal((channels, height + 2, width + 2))
    down = white[:, :-2] + 2 * white[:, 1:-1] + white[:, 2:]
    smooth: NDArray[np.float64] = (
        down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    ) / 6.0  # 6 = sum of squares of (1, 2, 1)
    return smooth

"""trt_pose's ParseObjects: from maps to people, as arrays of fixed size."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.trt_pose_compatible import Parsed, parse
from trt_pose_app.errors import DecodeError


class ParseObjects:
    """Callable with ``(cmap, paf)``, (N, C, H, W) and (N, 2K, H, W), numpy or torch of any float type and device.

    Returns ``(object_counts, objects, normalized_peaks)``, torch on the CPU if ``cmap`` was torch: (N,) int32 people;
    (N, max_num_objects, C) int32 peak numbers, -1 where a part is missing; (N, C, max_num_parts, 2) float32 y and x in
    [0, 1], 0 where there is no peak. Raises DecodeError for maps that do not fit each other or the topology.
    """

    def __init__(
        self,
        topology: Any,
        cmap_threshold: float = 0.1,
        link_threshold: float = 0.1,
        cmap_window: int = 5,
        line_integral_samples: int = 7,
        max_num_parts: int = 100,
        max_num_objects: int = 100,
    ) -> None:
        self.topology = topology
        self.cmap_threshold = cmap_threshold
        self.link_threshold = link_threshold
        self.cmap_window = cmap_window
        self.line_integral_samples = line_integral_samples
        self.max_num_parts = max_num_parts
        self.max_num_objects = max_num_objects

    def __call__(self, cmap: Any, paf: Any) -> tuple[Any, Any, Any]:
        maps, fields, topology = as_array(cmap), as_array(paf), as_array(self.topology).astype(np.int32)
        if maps.ndim != 4 or fields.ndim != 4 or len(maps) != len(fields):
            raise DecodeError(
                f"cmap {maps.shape} and paf {fields.shape} are not (N, C, H, W) and (N, 2K, H, W)",
                hint="give both with their batch axis, as the network returns them",
            )
        frames = [self._parse(one, field, topology) for one, field in zip(maps, fields)]
        n_parts = maps.shape[1]
        counts = np.array([len(frame.objects) for frame in frames], np.int32)
        objects = np.full((len(frames), self.max_num_objects, n_parts), -1, np.int32)
        peaks = np.zeros((len(frames), n_parts, self.max_num_parts, 2), np.float32)
        for n, frame in enumerate(frames):
            objects[n, : len(frame.objects)] = frame.objects
            for part, found in enumerate(frame.normalized_peaks):
                peaks[n, part, : len(found)] = found
        if isinstance(cmap, np.ndarray):
            return counts, objects, peaks
        torch = sys.modules["torch"]  # which whoever has a tensor has imported
        return torch.from_numpy(counts), torch.from_numpy(objects), torch.from_numpy(peaks)

    def _parse(self, cmap: NDArray[Any], paf: NDArray[Any], topology: NDArray[np.int32]) -> Parsed:
        return parse(
            cmap,
            paf,
            topology,
            cmap_threshold=self.cmap_threshold,
            link_threshold=self.link_threshold,
            cmap_window=self.cmap_window,
            line_integral_samples=self.line_integral_samples,
            max_num_parts=self.max_num_parts,
            max_num_objects=self.max_num_objects,
        )


def as_array(value: Any) -> NDArray[Any]:
    """Return a numpy array or torch tensor, wherever it lies, as a numpy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # numpy has no bfloat16.
        value = (value.float() if value.is_floating_point() else value).numpy()
    return np.asarray(value)

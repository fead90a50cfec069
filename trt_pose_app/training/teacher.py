"""A trained network of any make whose maps a network in training may follow."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ConfigError
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.skeleton import Skeleton


class Teacher:
    """An ONNX part-affinity network with its spec, answering in the words of another skeleton.

    Parts go by name; a limb is the one between parts of the same names, turned round where it points the other way.
    What the teacher does not know has the weight 0. Raises ConfigError for a bundle that cannot teach.
    """

    def __init__(self, bundle: Bundle, skeleton: Skeleton, *, threads: int = 0) -> None:
        spec = bundle.spec
        if spec.paf is None or spec.input.layout != "nchw" or spec.input.dtype == "uint8":
            raise ConfigError(
                f"{spec.name} cannot teach: it is no part-affinity network with a float NCHW input",
                hint="choose another distillation.teacher",
            )
        theirs = spec.build_skeleton()
        self._spec, self._paf = spec.input, spec.paf
        self._roles = spec.outputs
        self._engine = OnnxRuntimeEngine(bundle.path, threads=threads)
        self._parts = theirs.mapping_to(skeleton)
        channels = self._paf.limb_channels or tuple((2 * i, 2 * i + 1) for i in range(len(theirs.limbs)))
        if self._paf.component_order == "xy":
            channels = tuple((y, x) for x, y in channels)
        by_parts: dict[tuple[int, int], tuple[tuple[int, int], float]] = {}
        for (a, b), pair in zip(theirs.limbs, channels):
            by_parts[b, a] = pair, -1.0
            by_parts[a, b] = pair, 1.0
        found = [by_parts.get((int(self._parts[a]), int(self._parts[b]))) for a, b in skeleton.limbs]
        self._fields = [channel for entry in found for channel in (entry[0] if entry else (0, 0))]
        self._signs = torch.tensor([entry[1] if entry else 0.0 for entry in found for _ in range(2)]).view(1, -1, 1, 1)
        known = self._parts >= 0
        if self._paf.background_channel is not None:
            self._parts = self._parts + (self._parts >= self._paf.background_channel)
        self._parts = np.where(known, self._parts, 0)
        self._known = torch.from_numpy(known.astype(np.float32)).view(1, -1, 1, 1)

    def __call__(self, pixels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return cmap, paf and their weights, each (N, channels, *size) or ready to be broadcast to it.

        ``pixels`` is (N, 3, H, W) uint8 BGR, ``size`` (rows, columns) of the maps asked for.
        """
        spec = self._spec
        image = pixels.cpu().float()
        if spec.colour == "rgb":
            image = image.flip(1)
        image = (image - torch.tensor(spec.mean).view(1, 3, 1, 1)) / torch.tensor(spec.std).view(1, 3, 1, 1)
        feed = image.numpy().astype(spec.dtype)
        outputs = self._engine.infer({spec.name: feed})
        cmap, paf = (torch.from_numpy(outputs[self._roles[role]].astype(np.float32)) for role in ("cmap", "paf"))
        cmap, paf = cmap[:, self._parts], paf[:, self._fields]
        if cmap.shape[2:] != size:
            cmap, paf = (functional.interpolate(maps, size, mode="bilinear") for maps in (cmap, paf))
        device = pixels.device
        known, signs = self._known.to(device), self._signs.to(device)
        return cmap.to(device), paf.to(device) * signs, known, signs.abs()

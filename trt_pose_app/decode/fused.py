"""FusedDecoder: people out of the peaks and limb scores that a network found itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.fused_reference import PEAK_FACTS, FusedParser
from trt_pose_app.decode.paf import DEFAULTS, NativeParser, choose_native, parser_arguments
from trt_pose_app.decode.paf_layout import PafLayout
from trt_pose_app.decode.paf_params import PafParams
from trt_pose_app.errors import DecodeError
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses


class _Parser(Protocol):
    def finish(
        self, peaks: NDArray[np.float32], limbs: NDArray[np.float32], to_frame: list[NDArray[np.float64]]
    ) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]]: ...


class FusedDecoder:
    """Finishes what a network with fused peaks began (``converters.fuse``); gives the people of ``PafDecoder``.

    Of ``params`` the limb thresholds have no effect, as they are in the graph. ``native`` as in ``PafDecoder``.
    """

    def __init__(
        self, skeleton: Skeleton, layout: PafLayout, params: PafParams = DEFAULTS, *, native: bool | None = None
    ) -> None:
        arguments = parser_arguments(skeleton, layout, params)
        self.native = choose_native(native)
        self.skeleton = skeleton
        self.layout = layout
        self.params = params
        self._parser: _Parser = (NativeParser if self.native else FusedParser)(**arguments)
        self._to_frame = functools.lru_cache(maxsize=16)(self._cell_to_frame)  # as in PafDecoder

    def decode(self, outputs: Mapping[str, NDArray[Any]], geometry: Sequence[Geometry]) -> list[Poses]:
        """Return the people of every frame of the batch, best first.

        ``outputs`` holds ``peaks`` (B, parts, K, 5) and ``limbs`` (B, limbs, K, K), float32; ``geometry`` the B
        frames' geometries. Raises DecodeError for any other shape or dtype, never for odd values.
        """
        try:
            peaks, limbs = outputs["peaks"], outputs["limbs"]
        except KeyError as error:
            raise DecodeError(
                f"there is no output {error} among {', '.join(map(repr, outputs)) or 'none'}",
                hint="the model's [outputs] table maps the roles peaks and limbs to the network's names",
            ) from None
        self._check(peaks, limbs, len(geometry))
        affines = [self._to_frame(one) for one in geometry]
        return [Poses.trusted(*arrays, self.skeleton) for arrays in self._parser.finish(peaks, limbs, affines)]

    def _cell_to_frame(self, geometry: Geometry) -> NDArray[np.float64]:
        return geometry.cell_to_frame(self.layout.stride, self.layout.map_offset)

    def _check(self, peaks: NDArray[Any], limbs: NDArray[Any], batch: int) -> None:
        for name, array in (("peaks", peaks), ("limbs", limbs)):
            if not isinstance(array, np.ndarray) or array.dtype != np.float32:
                kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise DecodeError(f"{name} is {kind}", hint="give numpy arrays of float32")
        ranks = peaks.shape[2] if peaks.ndim == 4 else 0
        for name, array, wanted in (
            ("peaks", peaks, (batch, len(self.skeleton), ranks, PEAK_FACTS)),
            ("limbs", limbs, (batch, len(self.layout.limbs), ranks, ranks)),
        ):
            if array.shape != wanted:
                raise DecodeError(
                    f"{name} has the shape {array.shape}, {self.skeleton.name} needs {wanted} for {batch} geometries",
                    hint="check the spec's skeleton; both outputs come from one conversion with --fuse-peaks",
                )

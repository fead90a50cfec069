"""PafDecoder: confidence and part affinity maps to people, compiled or in numpy."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trt_pose_app.decode.paf_layout import PafLayout
from trt_pose_app.decode.paf_params import PafParams
from trt_pose_app.decode.paf_reference import Parser as NumpyParser
from trt_pose_app.errors import ConfigError, DecodeError, DependencyError
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import Skeleton
from trt_pose_app.types import Poses

try:
    from trt_pose_app._paf import Parser as NativeParser
except ImportError:  # installed where no compiler was
    NativeParser = None  # type: ignore[assignment, misc]

__all__ = [
    "NativeParser", "PafDecoder", "PafLayout", "PafParams", "choose_native", "native_available", "parser_arguments",
]  # fmt: skip

LARGEST_SIDE = 1 << 15  # cells; the compiled parser counts them in int

DEFAULTS = PafParams()

_DTYPES = frozenset((np.dtype(np.float32), np.dtype(np.float16)))


class _Parser(Protocol):
    def decode(
        self, cmap: NDArray[Any], paf: NDArray[Any], to_frame: list[NDArray[np.float64]]
    ) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]]: ...


class PafDecoder:
    """Finds people in the outputs of a part affinity network (Cao et al. 2017), at the maps' own resolution.

    ``native`` chooses the implementation: True the compiled one (DependencyError without it), False numpy, None the
    compiled one where it is installed and else numpy, with one RuntimeWarning per process. Both give the same people.
    """

    def __init__(
        self, skeleton: Skeleton, layout: PafLayout, params: PafParams = DEFAULTS, *, native: bool | None = None
    ) -> None:
        arguments = parser_arguments(skeleton, layout, params)
        self.native = choose_native(native)
        self.skeleton = skeleton
        self.layout = layout
        self.params = params
        self._parser: _Parser = (NativeParser if self.native else NumpyParser)(**arguments)
        self._cmap_channels = len(skeleton) + (layout.background_channel is not None)
        used = {channel for pair in layout.channels for channel in pair}
        self._paf_channels = max(used, default=-1) + 1
        # Channels with gaps are a part of a larger network's limbs; without gaps there must be no others.
        self._exact_paf = len(used) == self._paf_channels > 0
        # A camera's frames share one geometry, and its affine map costs more than a decode.
        self._to_frame = functools.lru_cache(maxsize=16)(self._cell_to_frame)

    def decode(self, outputs: Mapping[str, NDArray[Any]], geometry: Sequence[Geometry]) -> list[Poses]:
        """Return the people of every frame of the batch, best first.

        ``outputs`` holds the confidence maps (B, K or K + background, H, W) and the affinity maps (B, 2L, H, W),
        float32 or float16 with any strides, under the layout's names; ``geometry`` the B frames' geometries.
        Raises DecodeError for any other shape or dtype, never for odd values.
        """
        try:
            cmap, paf = outputs[self.layout.cmap], outputs[self.layout.paf]
        except KeyError as error:
            raise DecodeError(
                f"there is no output {error} among {', '.join(map(repr, outputs)) or 'none'}",
                hint="the model's [outputs] table maps the roles cmap and paf to the network's names",
            ) from None
        self._check(cmap, paf, len(geometry))
        affines = [self._to_frame(one) for one in geometry]
        skeleton = self.skeleton
        return [Poses.trusted(*arrays, skeleton) for arrays in self._parser.decode(cmap, paf, affines)]

    def _cell_to_frame(self, geometry: Geometry) -> NDArray[np.float64]:
        return geometry.cell_to_frame(self.layout.stride, self.layout.map_offset)

    def _check(self, cmap: NDArray[Any], paf: NDArray[Any], batch: int) -> None:
        for name, maps in ((self.layout.cmap, cmap), (self.layout.paf, paf)):
            if not isinstance(maps, np.ndarray) or maps.dtype not in _DTYPES:
                kind = maps.dtype if isinstance(maps, np.ndarray) else type(maps).__name__
                raise DecodeError(f"{name} is {kind}", hint="give numpy arrays of float32 or float16")
            if maps.ndim != 4:
                raise DecodeError(
                    f"{name} has the shape {maps.shape}", hint="give (batch, channels, height, width), batch included"
                )
        n_cmap, channels, height, width = cmap.shape
        n_paf, fields, *paf_size = paf.shape
        if channels != self._cmap_channels:
            raise DecodeError(
                f"{self.layout.cmap} has {channels} channels, {self.skeleton.name} needs {self._cmap_channels}",
                hint="check the spec's skeleton, background_channel and which output is which",
            )
        if fields < self._paf_channels or (self._exact_paf and fields != self._paf_channels):
            raise DecodeError(
                f"{self.layout.paf} has {fields} channels, the limbs need {self._paf_channels}",
                hint="check the spec's skeleton, limb_channels and which output is which",
            )
        if paf_size != [height, width]:
            raise DecodeError(
                f"{self.layout.cmap} maps are {height}x{width}, {self.layout.paf} maps {paf_size[0]}x{paf_size[1]}",
                hint="both outputs of a network have one map size",
            )
        if max(height, width) > LARGEST_SIDE:
            raise DecodeError(f"maps of {height}x{width} are too large", hint=f"at most {LARGEST_SIDE} cells a side")
        if not n_cmap == n_paf == batch:
            raise DecodeError(
                f"{n_cmap} and {n_paf} frames of maps for {batch} geometries", hint="give one geometry per frame"
            )


def native_available() -> bool:
    """Return whether the compiled parser is installed."""
    return NativeParser is not None


def choose_native(native: bool | None) -> bool:
    """Return whether the compiled parser is to be used, see ``PafDecoder``. Raises DependencyError without it."""
    if native and NativeParser is None:
        raise DependencyError(
            "the compiled parser trt_pose_app._paf is missing",
            hint="install a C++17 compiler and reinstall the package, or let numpy do it",
        )
    if native is None and NativeParser is None:
        _warn_once()
    return NativeParser is not None and native is not False


def parser_arguments(skeleton: Skeleton, layout: PafLayout, params: PafParams) -> dict[str, Any]:
    """Return the arguments of the parsers. Raises ConfigError if a limb names a part that there is not."""
    if any(max(limb) >= len(skeleton) for limb in layout.limbs):
        raise ConfigError(
            f"a limb names a part beyond the {len(skeleton)} of {skeleton.name}",
            hint="take the layout's limbs from the same skeleton",
        )
    names = (
        "peak_threshold", "limb_threshold", "limb_samples", "needed_samples", "max_peaks", "max_people",
        "min_keypoints", "min_person_score",
    )  # fmt: skip
    return {
        "part_channels": layout.part_channels(len(skeleton)),
        "limbs": layout.limb_table(),
        **{name: getattr(params, name) for name in names},
    }


@functools.cache
def _warn_once() -> None:
    warnings.warn(
        "the compiled parser trt_pose_app._paf is missing, so the numpy parser decodes, which takes some 10 to 30 ms a "
        "frame instead of less than 1; install a C++17 compiler and reinstall the package",
        RuntimeWarning,
        stacklevel=4,
    )

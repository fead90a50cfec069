"""Frames in, poses out: engine and decoder put together as a model's spec says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.decode.paf import PafDecoder, PafLayout, PafParams
from trt_pose_app.engines.onnxruntime import OnnxRuntimeEngine
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.estimators.bottom_up import BottomUp
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.geometry import Size
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import cache_directory, default_search, find

__all__ = ["BottomUp", "build", "build_paf_decoder", "load"]


def load(
    name: str | None = None, config: ModelConfig | None = None, *, search: Sequence[Path] | None = None
) -> BottomUp:
    """Return a ready estimator for a model's name (see `trt-pose models list`) or the path of its file.

    ``config`` says how to run and read it; ``name`` wins over ``config.name``. ``search`` are the folders to look in,
    by default those of TRT_POSE_MODELS, the cache and the package's own. Raises ModelError or EngineError.
    """
    config = config or ModelConfig()
    search = default_search(os.environ) if search is None else search
    return build(find(name or config.name, spec=config.spec, search=search), config)


def build(bundle: Bundle, config: ModelConfig, *, native: bool | None = None) -> BottomUp:
    """Return a ready estimator for a bundle. ``native`` as in ``PafDecoder``."""
    spec = bundle.spec
    if spec.kind != "paf":
        raise ModelSpecError(
            f"{spec.name} is a {spec.kind} network; this version runs part-affinity networks (kind paf)",
            hint="`trt-pose models list` shows the kinds",
        )
    preprocess = Preprocessor(spec.input, parse_size(config.input_size))
    decoder = build_paf_decoder(spec, config, native=native)
    engine = OnnxRuntimeEngine(
        bundle.path, backend=config.backend, threads=config.threads, cache=cache_directory() / "engines"
    )
    try:
        return BottomUp(spec, engine, preprocess, decoder)
    except ModelSpecError:
        engine.close()
        raise


def parse_size(text: str | None) -> Size | None:
    """Return (width, height) of "height" or "heightxwidth"; a width of 0 follows the frame."""
    if text is None:
        return None
    height, _, width = text.partition("x")
    return int(width or 0), int(height)


def build_paf_decoder(spec: ModelSpec, config: ModelConfig, *, native: bool | None = None) -> PafDecoder:
    """Return the decoder that the spec describes, with the thresholds of the configuration where it has any."""
    skeleton = spec.build_skeleton()
    if spec.paf is None:
        raise ModelSpecError(f"{spec.name} has no [paf] table", hint="add it to the spec, see docs/models.md")
    layout = PafLayout(
        limbs=skeleton.limbs,
        limb_channels=spec.paf.limb_channels,
        component_order=spec.paf.component_order,
        background_channel=spec.paf.background_channel,
        stride=spec.paf.stride,
        map_offset=spec.paf.map_offset,
        attach_only_limbs=spec.paf.attach_only_limbs,
    )
    params = spec.decode.model_dump()
    for field in ("peak_threshold", "min_person_score", "min_keypoints"):
        if (value := getattr(config, field)) is not None:
            params[field] = value
    return PafDecoder(skeleton, layout, PafParams(**params), native=native)

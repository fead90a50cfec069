"""Frames in, poses out: engines and decoders put together as the models' specs say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.decode.detection import BoxDecoder, DetectionParams
from trt_pose_app.decode.fused import FusedDecoder
from trt_pose_app.decode.heatmap import HeatmapDecoder
from trt_pose_app.decode.keypoints import KeypointDecoder
from trt_pose_app.decode.paf import PafDecoder, PafLayout, PafParams
from trt_pose_app.decode.people import PeopleParams
from trt_pose_app.decode.protocol import Decoder
from trt_pose_app.decode.simcc import SimccDecoder
from trt_pose_app.engines.open import open_engine
from trt_pose_app.engines.protocol import Engine
from trt_pose_app.errors import ModelSpecError
from trt_pose_app.estimators.bottom_up import BottomUp
from trt_pose_app.estimators.crop import Cropper
from trt_pose_app.estimators.detector import Detector
from trt_pose_app.estimators.models import PRESETS, Models, find_models
from trt_pose_app.estimators.pose_network import PoseNetwork
from trt_pose_app.estimators.preprocess import Preprocessor
from trt_pose_app.estimators.protocol import Estimator
from trt_pose_app.estimators.top_down import TopDown
from trt_pose_app.geometry import Size
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.store import cache_directory, default_search

__all__ = [
    "PRESETS", "BottomUp", "Estimator", "Models", "TopDown", "build", "build_detector", "build_keypoint_decoder",
    "build_paf_decoder", "find_models", "load", "paf_layout",
]  # fmt: skip


def load(
    name: str | None = None, config: ModelConfig | None = None, *, search: Sequence[Path] | None = None
) -> BottomUp | TopDown:
    """Return a ready estimator for a model's name (see `trt-pose models list`) or the path of its file.

    ``detector+pose`` names two networks, and ``lightweight``, ``balanced`` and ``performance`` are such pairs.
    ``config`` says how to run and read it; ``name`` wins over ``config.name``. ``search`` are the folders to look in,
    by default those of TRT_POSE_MODELS, the cache and the package's own. Raises ModelError or EngineError.
    """
    config = config or ModelConfig()
    search = default_search(os.environ) if search is None else search
    return build(find_models(name or config.name, config, search), config)


def build(models: Models | Bundle, config: ModelConfig, *, native: bool | None = None) -> BottomUp | TopDown:
    """Return a ready estimator. ``native`` as in ``PafDecoder``. Raises ModelSpecError, EngineError."""
    models = models if isinstance(models, Models) else Models(models)
    spec = models.pose.spec
    with ExitStack() as undo:  # closes what is open if the rest fails
        if models.detector is None:
            if spec.kind not in ("paf", "paf_fused"):
                raise ModelSpecError(
                    f"{spec.name} is a {spec.kind} network, which this version does not run",
                    hint="it runs paf and paf_fused, and simcc or heatmap with a detector; see `trt-pose models list`",
                )
            preprocess = Preprocessor(spec.input, parse_size(config.input_size))
            decoder = build_paf_decoder(spec, config, native=native)
            bottom_up = BottomUp(spec, undo.enter_context(_open_engine(models.pose, config)), preprocess, decoder)
            undo.pop_all()
            return bottom_up
        detector = undo.enter_context(build_detector(models.detector, config))
        pose = PoseNetwork(
            spec,
            undo.enter_context(_open_engine(models.pose, config)),
            Cropper(spec.input),
            build_keypoint_decoder(spec),
            max_batch=config.max_batch,
            flip=config.flip,
        )
        top_down = TopDown(detector, pose, PeopleParams(pose_nms=config.pose_nms, **_thresholds(spec, config)))
        undo.pop_all()
        return top_down


def build_detector(bundle: Bundle, config: ModelConfig) -> Detector:
    """Return a ready person detector, with the threshold of the configuration where it has one."""
    spec = bundle.spec
    if spec.detector is None:
        raise _lacks(spec, "detector")
    params = spec.detector.model_dump()
    if config.detector_threshold is not None:
        params["score_threshold"] = config.detector_threshold
    preprocess = Preprocessor(spec.input, parse_size(config.input_size))
    engine = _open_engine(bundle, config)
    try:
        return Detector(spec, engine, preprocess, BoxDecoder(DetectionParams(**params)))
    except ModelSpecError:
        engine.close()
        raise


def parse_size(text: str | None) -> Size | None:
    """Return (width, height) of "height" or "heightxwidth"; a width of 0 follows the frame."""
    if text is None:
        return None
    height, _, width = text.partition("x")
    return int(width or 0), int(height)


def build_keypoint_decoder(spec: ModelSpec) -> KeypointDecoder:
    """Return the decoder of a top-down network that the spec describes."""
    if spec.kind == "simcc" and spec.simcc is not None:
        return SimccDecoder(**spec.simcc.model_dump())
    if spec.kind == "heatmap" and spec.heatmap is not None:
        return HeatmapDecoder(**spec.heatmap.model_dump())
    raise _lacks(spec, spec.kind)


def build_paf_decoder(spec: ModelSpec, config: ModelConfig, *, native: bool | None = None) -> Decoder:
    """Return the decoder that the spec describes, with the thresholds of the configuration where it has any."""
    params = PafParams(**{**spec.decode.model_dump(), **_thresholds(spec, config)})
    decoder = FusedDecoder if spec.kind == "paf_fused" else PafDecoder
    return decoder(spec.build_skeleton(), paf_layout(spec), params, native=native)


def paf_layout(spec: ModelSpec) -> PafLayout:
    """Return how the maps of a part-affinity network lie. Raises ModelSpecError without a [paf] table."""
    if spec.paf is None:
        raise _lacks(spec, "paf")
    return PafLayout(
        limbs=spec.build_skeleton().limbs,
        limb_channels=spec.paf.limb_channels,
        component_order=spec.paf.component_order,
        background_channel=spec.paf.background_channel,
        stride=spec.paf.stride,
        map_offset=spec.paf.map_offset,
        attach_only_limbs=spec.paf.attach_only_limbs,
    )


def _thresholds(spec: ModelSpec, config: ModelConfig) -> dict[str, Any]:
    """Return the thresholds that all decoders share: the configuration's, else the spec's."""
    fields = ("peak_threshold", "min_person_score", "min_keypoints", "max_people")
    values = {field: getattr(config, field) for field in fields}
    return {field: getattr(spec.decode, field) if value is None else value for field, value in values.items()}


def _open_engine(bundle: Bundle, config: ModelConfig) -> Engine:
    return open_engine(
        bundle,
        backend=config.backend,
        threads=config.threads,
        cache=cache_directory() / "engines",
        built=config.input_size is None,
    )


def _lacks(spec: ModelSpec, table: str) -> ModelSpecError:
    return ModelSpecError(f"{spec.name} has no [{table}] table", hint="add it to the spec, see docs/models.md")

"""Which network answers for MediaPipe's ``model_complexity``."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from trt_pose_app.compat.mediapipe.errors import BadValueError
from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ModelNotFoundError
from trt_pose_app.estimators import PRESETS, BottomUp, Models, TopDown, build, find_models
from trt_pose_app.models.store import default_search, locate

log = logging.getLogger(__name__)

PRESET_OF_COMPLEXITY = ("lightweight", "balanced", "performance")
# What to take where a preset's files are not installed; the last one comes with the package.
INSTEAD = ("rtmdet-nano-person+tinypose-256x192",)
LAST = "pose-nano"


def open_estimator(
    model_complexity: int, min_detection_confidence: float, model: str | None, config: ModelConfig
) -> BottomUp | TopDown:
    """Return an estimator for ``model``, or the first installed of the complexity's preset, ``INSTEAD`` and ``LAST``.

    Raises ValueError for another complexity than 0, 1 or 2, ModelError for a named model that is not there.
    """
    if model_complexity not in (0, 1, 2):
        raise BadValueError(f"there is no model_complexity {model_complexity!r}", hint="it is 0, 1 or 2")
    config = config.model_copy(update={"detector_threshold": min_detection_confidence})
    search = default_search(os.environ)
    if model is not None:
        models = find_models(model, config, search)
    else:
        models = find_installed(PRESET_OF_COMPLEXITY[model_complexity], config, search)
    return build(models, config)


def find_installed(preset: str, config: ModelConfig, search: Sequence[Path]) -> Models:
    """Return the networks of ``preset``, or of the first of ``INSTEAD`` whose files are there, which is logged."""
    for name in (preset, *INSTEAD):
        try:
            models = find_models(name, config, search)
            break
        except ModelNotFoundError as error:
            log.debug("not %s: %s", name, error.message)
    else:
        models = find_models(LAST, config, search)
        name = LAST
    log.info("pose with %s", " and ".join(bundle.label for bundle in models.bundles))
    if name != preset:
        _tell(preset, name, tuple(part for part in PRESETS[preset].split("+") if locate(part, search) is None))
    return models


@cache  # once per process and choice: programs open many
def _tell(preset: str, taken: str, missing: tuple[str, ...]) -> None:
    pulls = "".join(f"\n  trt-pose models pull {name}" for name in missing)
    # A warning is shown on stderr even where a program sets up no logging.
    log.warning("the models of %r are not installed, so %s is taken; to get them:%s", preset, taken, pulls)

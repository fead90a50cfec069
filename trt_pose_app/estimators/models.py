"""Which networks a model's name means: one that finds everybody itself, or a detector and a pose network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trt_pose_app.config.schema import ModelConfig
from trt_pose_app.errors import ModelNotFoundError, ModelSpecError
from trt_pose_app.models.bundle import Bundle
from trt_pose_app.models.store import close_names, find, is_path

PRESETS = {
    "lightweight": "rtmdet-nano-person+rtmpose-t-coco17",
    "balanced": "rtmdet-nano-person+rtmpose-s-coco17",
    "performance": "rtmdet-nano-person+rtmpose-m-coco17",
}
TOP_DOWN_KINDS = ("simcc", "heatmap")
_EXAMPLE = "rtmdet-nano-person+tinypose-256x192"


@dataclass(frozen=True, slots=True)
class Models:
    """The network that finds keypoints, and the detector it needs, if it looks at one person at a time."""

    pose: Bundle
    detector: Bundle | None = None

    def __post_init__(self) -> None:
        kind, name = self.pose.spec.kind, self.pose.spec.name
        if kind == "detector" and self.detector is not None and self.detector.spec.kind in TOP_DOWN_KINDS:
            raise ModelSpecError(
                f"{name} finds people, not their keypoints",
                hint=f"the detector comes first: {name}+{self.detector.spec.name}",
            )
        if kind == "detector":
            raise ModelSpecError(
                f"{name} finds people, not their keypoints", hint=f"name a pose network too: --model {name}+POSE"
            )
        if kind in TOP_DOWN_KINDS and self.detector is None:
            raise ModelSpecError(
                f"{name} looks at one person at a time and needs a detector that finds them",
                hint=f"name one too, such as --model {_EXAMPLE.partition('+')[0]}+{name}",
            )
        if kind not in TOP_DOWN_KINDS and self.detector is not None:
            raise ModelSpecError(f"{name} (kind {kind}) takes no detector", hint=f"use --model {name} alone")
        if self.detector is not None and self.detector.spec.kind != "detector":
            raise ModelSpecError(
                f"{self.detector.spec.name} is a {self.detector.spec.kind} network, not a detector",
                hint=f"the detector comes first, as in --model {_EXAMPLE}",
            )

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Both, or the only one."""
        return (self.pose,) if self.detector is None else (self.detector, self.pose)

    @property
    def label(self) -> str:
        """``name@sha256[:8]``, of a pair both, joined by a plus: as messages and reports name the model."""
        return "+".join(bundle.label for bundle in self.bundles)

    def verify(self) -> None:
        """Check the files against their specs' checksums. Raises ChecksumError."""
        for bundle in self.bundles:
            bundle.verify()


def find_models(name: str, config: ModelConfig, search: Sequence[Path]) -> Models:
    """Return what ``name`` means: a model, a ``detector+pose`` pair, or one of ``PRESETS``.

    ``config.spec`` is the pose network's. Raises ModelNotFoundError, ModelSpecError.
    """
    detector, plus, pose = PRESETS.get(name, name).rpartition("+")
    if not plus or Path(name).is_file():
        try:
            return Models(find(name, spec=config.spec, search=search))
        except ModelNotFoundError as error:
            if is_path(name) or not (close := close_names(name, PRESETS)):
                raise
            raise ModelNotFoundError(error.message, hint=f"did you mean {' or '.join(close)}?") from error
    try:
        return Models(find(pose, spec=config.spec, search=search), find(detector, search=search))
    except ModelNotFoundError as error:
        if name not in PRESETS:
            raise
        raise ModelNotFoundError(
            f"the preset {name} needs {detector}.onnx and {pose}.onnx: {error.message}", hint=error.hint
        ) from error

"""PafParams: the thresholds and limits of the part-affinity decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trt_pose_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PafParams:
    """What counts as a part, a limb and a person. Raises ConfigError for a value out of range.

    A peak is a part if its confidence is at least ``peak_threshold``; of each part the strongest ``max_peaks`` are
    kept. A pair of peaks is a limb if, of ``limb_samples`` points from end to end, at least the share
    ``limb_success_ratio`` shows a field of more than ``limb_threshold`` in the limb's direction. A person has at
    least ``min_keypoints`` parts and ``min_person_score``; the best ``max_people`` are returned.
    """

    peak_threshold: float = 0.1
    limb_threshold: float = 0.05
    limb_success_ratio: float = 0.8
    limb_samples: int = 7
    max_peaks: int = 64
    max_people: int = 100
    min_keypoints: int = 3
    min_person_score: float = 0.2

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {getattr(self, name)}, not in {low}..{high}"
            for name, low, high in (
                ("peak_threshold", 0, 1),
                ("limb_threshold", 0, 1),
                ("limb_success_ratio", 0, 1),
                ("limb_samples", 2, 64),
                ("max_peaks", 1, 256),
                ("max_people", 1, 256),
                ("min_keypoints", 1, math.inf),
                ("min_person_score", 0, 1),
            )
            if not low <= getattr(self, name) <= high
        ]
        if problems:
            raise ConfigError(f"decode: {'; '.join(problems)}", hint="correct the model's [decode] table or the flags")

    @property
    def needed_samples(self) -> int:
        """How many of a limb's samples must show the field."""
        # A ratio such as 0.7 of 10 is 7 although 0.7 * 10 > 7 in binary.
        return math.ceil(self.limb_success_ratio * self.limb_samples - 1e-9)

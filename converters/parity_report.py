"""What a comparison of a network with its conversion found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from converters.budget import Budget


@dataclass(frozen=True, slots=True)
class OutputParity:
    """One output over all frames. ``range`` is largest minus smallest value of the source, ``max_error`` and
    ``mean_error`` are absolute. ``argmax`` is the share of keypoints in sight whose peak stays, None for an output
    without peaks."""

    role: str
    range: float
    max_error: float
    mean_error: float
    argmax: float | None
    not_finite: int

    @property
    def relative_max(self) -> float:
        return self.max_error / max(self.range, 1e-12)

    @property
    def relative_mean(self) -> float:
        return self.mean_error / max(self.range, 1e-12)


@dataclass(frozen=True, slots=True)
class PeopleParity:
    """What the decoder made of the outputs. ``found`` is the share of people on either side with a partner on the
    other; the shifts are of the partners' keypoints, in pixels of the network's input."""

    source: int
    result: int
    found: float
    shift_px: float
    shift_p95_px: float

    @property
    def nobody(self) -> bool:
        """Whether neither side found anybody, so that nothing was compared."""
        return self.source == self.result == 0


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The same frames through source and result.

    ``people`` is None for a kind of network that no decoder here reads, ``outputs`` is empty where both sides have no
    output in common, ``ap`` is (source, result) in 0..1 where annotations were given.
    """

    source: str
    result: str
    frames: int
    outputs: tuple[OutputParity, ...]
    people: PeopleParity | None
    budget: Budget
    ap: tuple[float, float] | None = None

    @property
    def title(self) -> str:
        return f"{self.source} and {self.result}, {self.frames} frames"

    @property
    def broken(self) -> tuple[str, ...]:
        """One sentence for each limit that does not hold."""
        limits = self.budget
        found = [] if self.outputs or self.people else ["nothing of both sides can be compared"]
        for output in self.outputs:
            if output.not_finite:
                found.append(f"{output.role}: {output.not_finite} values are not finite")
                continue
            found += _above(f"{output.role}: largest error / range", output.relative_max, limits.max_error)
            found += _above(f"{output.role}: mean error / range", output.relative_mean, limits.mean_error)
            if output.argmax is not None:
                found += _below(f"{output.role}: share of equal peaks", output.argmax, limits.argmax)
        if self.people is not None:
            found += _below("share of people found again", self.people.found, limits.people)
            found += _above("mean keypoint shift in px", self.people.shift_px, limits.shift_px)
        if self.ap is not None:
            found += _above("AP lost in points", 100 * (self.ap[0] - self.ap[1]), limits.ap_loss)
        return tuple(found)

    @property
    def passed(self) -> bool:
        return not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON. A figure that is not finite becomes None."""
        outputs = [
            {**asdict(output), "relative_max": output.relative_max, "relative_mean": output.relative_mean}
            for output in self.outputs
        ]
        facts = {**asdict(self), "outputs": outputs, "passed": self.passed, "broken": list(self.broken)}
        finite: dict[str, Any] = _finite(facts)
        return finite


def _above(what: str, value: float, limit: float | None) -> list[str]:
    return [] if limit is None or value <= limit else [f"{what} is {value:.3g}, above {limit:g}"]


def _below(what: str, value: float, limit: float | None) -> list[str]:
    return [] if limit is None or value >= limit else [f"{what} is {value:.3g}, below {limit:g}"]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value

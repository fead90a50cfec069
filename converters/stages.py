"""The steps of a conversion, as somebody watching sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, "str | None", float], None]  # stage, None at its begin or what came of it, seconds


class Stages:
    """Tells ``listener`` when a stage begins, gets on and ends; ``seconds`` keeps how long each took."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._current = ""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Callable[[str], None]]:
        """Run one stage; what it yields takes a few words on how far it is or, last, on the outcome."""
        outcome = ""

        def tell(text: str) -> None:
            nonlocal outcome
            outcome = text
            self._tell(f"{stage}: {text}", None, 0.0)

        start, self._current = time.monotonic(), stage
        self._tell(stage, None, 0.0)
        yield tell
        self.seconds[stage] = round(time.monotonic() - start, 3)
        self._tell(stage, outcome, self.seconds[stage])

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell how far a part of the present stage is."""
        self._tell(f"{self._current}: {what} {done}/{total}", None, 0.0)

    def _tell(self, stage: str, outcome: str | None, seconds: float) -> None:
        if self._listener is not None:
            self._listener(stage, outcome, seconds)

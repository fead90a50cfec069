"""The bounded queue in front of the MQTT client, which would itself queue without bound."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable


class Outbox:
    """Payloads on their way from the worker thread to the network thread.

    When ``capacity`` is reached, ``put`` drops the oldest if ``drop_oldest`` and waits for room otherwise.
    ``dropped`` counts what never left.
    """

    def __init__(self, capacity: int, *, drop_oldest: bool) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._drop_oldest = drop_oldest
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, payload: bytes) -> None:
        """Queue ``payload``; after ``close``, also while waiting for room, it is dropped."""
        with self._changed:
            if not self._drop_oldest:
                self._changed.wait_for(lambda: self._closed or len(self._waiting) < self._capacity)
            if self._closed:
                self.dropped += 1
            else:
                self._waiting.append((time.monotonic(), payload))
                self._trim()

    def skip(self) -> None:
        """Count a payload that nobody could have received and that was therefore not queued."""
        with self._changed:
            self.dropped += 1

    def take(self, max_age_s: float | None = None) -> bytes | None:
        """Return the oldest payload, or None if there is none; those older than ``max_age_s`` are dropped."""
        with self._changed:
            while self._waiting:
                queued_s, payload = self._waiting.popleft()
                self._changed.notify()
                if max_age_s is None or time.monotonic() - queued_s <= max_age_s:
                    return payload
                self.dropped += 1
            return None

    def put_back(self, payloads: Iterable[bytes]) -> None:
        """Put what was taken, oldest first, back to the front. A full outbox that does not drop grows by them."""
        now = time.monotonic()
        with self._changed:
            self._waiting.extendleft((now, payload) for payload in reversed(list(payloads)))
            self._trim()

    def close(self) -> None:
        """Accept nothing more and end a waiting ``put``. What is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _trim(self) -> None:
        while self._drop_oldest and len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self.dropped += 1

"""What strangers send is read by few threads at a time: a picture of 40 megapixels takes 600 MB while it is decoded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from backends.errors import Unsettled

AT_ONCE = 2
WAITING = 8
"""Threads that wait for their turn, at most: the others answer pages."""
PATIENCE = 10.0
"""Seconds for which one waits."""
BUSY = "other people's files are being read just now; give yours again in a few seconds"


class Turns:
    """Lets `at_once` threads in at a time and `waiting` more wait for `patience` seconds; all others are told to come
    again. A thread that is in comes in again at once.
    """

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._work = threading.BoundedSemaphore(at_once)
        self._queue = threading.BoundedSemaphore(at_once + waiting)
        self._mine = threading.local()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and keep it for the body of the `with`. Raises `Unsettled` when it does not come."""
        if getattr(self._mine, "held", False):
            yield
            return
        if not self._queue.acquire(blocking=False):
            raise Unsettled(BUSY)
        try:
            if not self._work.acquire(timeout=self._patience):
                raise Unsettled(BUSY)
            self._mine.held = True
            try:
                yield
            finally:
                self._mine.held = False
                self._work.release()
        finally:
            self._queue.release()


READING = Turns()
"""The turns of everything in this process that decodes or parses what a person gave."""

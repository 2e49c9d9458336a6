"""How Python and the engines are told to use memory and cores, before they are loaded.

Belongs here: settings of a whole process, most of which an engine reads once, as it starts. Does
not belong here: how much memory a run may take (`request.Budget`).
"""

from __future__ import annotations

import ctypes
import gc
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's `mallopt`."""

_LARGE = 1 << 30


ALLOCATIONS_A_COLLECTION = 100_000
"""What a run makes mostly stays, and looking for garbage among it again and again takes long."""


def prepare(workers: int) -> None:
    """Keep freed memory for the next array, and leave linear algebra's idle threads asleep.

    Rows pass through arrays of a megabyte or so, made and freed thousands of times a second; giving
    each back to the system and asking for it again costs more than the work on it. Does nothing
    where the system has other ways.
    """
    gc.set_threshold(ALLOCATIONS_A_COLLECTION)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000,muzzy_decay_ms:10000")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
    mallopt(_M_ARENA_MAX, workers)

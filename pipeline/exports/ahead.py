"""Working one step ahead: the next item is made while the last one is used.

Belongs here: that alone. Does not belong here: anything that knows what the items are.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The same items in the same order; an error comes in the place of the item it prevented.

    Whoever stops early leaves nothing behind: the thread ends, then the items are closed.
    """
    with closing(items), ThreadPoolExecutor(max_workers=1) as worker:
        due = worker.submit(next, items, None)
        while (item := due.result()) is not None:
            due = worker.submit(next, items, None)
            yield item

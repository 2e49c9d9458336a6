"""Files of an export, which all appear or none.

Belongs here: writing beside and renaming, in a folder that is the user's own. Does not belong here:
what the files hold, and the store (`store.files`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A scratch folder to fill; its files move to `folder` when the block ends well.

    Files of the same names are replaced, others stay. Where the block fails, nothing has changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".tenantbill-{uuid4().hex}"
    scratch.mkdir()
    try:
        yield scratch
        for file in sorted(scratch.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

"""Names for the arrays that rows travel in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Codes32 = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

Whole = npt.NDArray[np.integer[Any]]
"""Whole numbers of any width."""

Texts = npt.NDArray[Any]
"""Texts as UTF-8: of numpy's type V where all have one length, else objects of bytes."""

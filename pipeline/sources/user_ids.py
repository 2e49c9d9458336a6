"""The ids of users, as every export of Webex is read: who is who across them.

Belongs here: what makes two ids the same. Does not belong here: which field holds one.
"""

from __future__ import annotations

import polars as pl


def user_id(said: pl.Expr) -> pl.Expr:
    """An e-mail address is the same in whatever case it is written; other ids are not."""
    is_address = said.str.contains("@", literal=True)
    return pl.when(is_address).then(said.str.to_lowercase()).otherwise(said)

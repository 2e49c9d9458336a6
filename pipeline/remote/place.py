"""A place in an object store as a path: where on this machine that lies which is here of it.

Belongs here: addresses, and the folder that mirrors them. Does not belong here: moving anything.

What lies at `s3://bucket/key` has its place at `CACHE/s3@HOST/bucket/key`; so a path follows from
an address and the machine, and the address from the path. CACHE is `$TENANTBILL_CACHE`, or a folder
of the user among the system's temporary ones. HOST tells stores apart that are not the usual one.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path, PosixPath
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from pipeline.errors import BillingError, UsageError, did_you_mean

CACHE = "TENANTBILL_CACHE"


class Variables(NamedTuple):
    """Names of variables of the environment, for one kind of address.

    One allows http://, one says who we are, and others which service or account is meant.
    """

    allow_http: str
    credential: str
    hosts: tuple[str, ...]


KINDS = {
    "s3": Variables(
        "AWS_ALLOW_HTTP",
        "AWS_ACCESS_KEY_ID",
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    ),
    "gs": Variables("GOOGLE_ALLOW_HTTP", "GOOGLE_SERVICE_ACCOUNT", ("GOOGLE_BASE_URL",)),
    "az": Variables(
        "AZURE_ALLOW_HTTP",
        "AZURE_STORAGE_ACCOUNT_KEY",
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "AZURE_STORAGE_ACCOUNT_NAME"),
    ),
}
"""The kinds of address, and what the libraries read of the environment for each."""

_SERVICE = re.compile(r"(s3|gs|az)@")

_SEGMENT = re.compile(r"[\w.=@+, ()~!'&;$-]+")


class CacheUnusable(BillingError):
    """The folder for what is here of object stores is another user's."""


class Mirrored(PosixPath):
    """The path on this machine of what lies in an object store.

    It travels as its address: pickled here, it comes out as the path of another machine.
    """

    @property
    def address(self) -> str:
        """What it is the mirror of, such as `s3://bucket/key`."""
        return f"{self.base}/{self.key}" if self.key else self.base

    @property
    def service(self) -> str:
        """The kind of address, and where it is found."""
        return self._named[0]

    @property
    def variables(self) -> Variables:
        """The variables that matter to it."""
        return KINDS[self._scheme]

    @property
    def base(self) -> str:
        """The bucket's address."""
        return f"{self._scheme}://{self._named[1]}"

    @property
    def key(self) -> str:
        """The name within the bucket; empty for the bucket."""
        return "/".join(self._named[2:])

    @property
    def _scheme(self) -> str:
        return self.service.partition("@")[0]

    @property
    def _named(self) -> tuple[str, ...]:
        """Service, bucket, and the parts of the key."""
        parts = self.parts
        return parts[next(n for n, part in enumerate(parts) if _SERVICE.match(part)) :]

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the address."""
        return mirrored, (self.address,)


def place_of(words: str) -> Path:
    """What the words of an option name: a path, or the mirror of an address.

    Raises `UsageError`, which never repeats an address: there may be a secret in it.
    """
    return mirrored(words) if "://" in words else Path(words)


def mirrored(address: str, root: Path | None = None) -> Mirrored:
    """The path of an address, below a folder; else below the one where all of it lies."""
    scheme, _, rest = address.partition("://")
    if scheme not in KINDS:
        known = [f"{name}://" for name in KINDS]
        raise UsageError(
            f"there is no kind of address {scheme.rpartition('@')[2]}://",
            remedy=did_you_mean(f"{scheme}://", known, f"known are {', '.join(known)}"),
        )
    segments = rest.rstrip("/").split("/")
    if "@" in segments[0] or "?" in rest or "#" in rest:
        raise UsageError(
            "an address must not hold a name, a key, a password or a signature",
            remedy="write it as s3://bucket/prefix, and keep credentials in the environment, such "
            "as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if not all(_SEGMENT.fullmatch(one) and one not in (".", "..") for one in segments):
        raise UsageError(
            f"this is no address of {scheme}://",
            remedy=f"write it as {scheme}://bucket/prefix, of letters, digits, - . _ and =",
        )
    return Mirrored(root or cache_folder(), f"{scheme}@{_host(scheme)}", *segments)


def name_of(path: Path) -> str:
    """What to call a path in words, and in files that other machines read."""
    return path.address if isinstance(path, Mirrored) else str(path)


def cache_folder() -> Path:
    """The folder for what is here of object stores; it is for this user alone."""
    told = os.environ.get(CACHE)
    folder = Path(told) if told else Path(tempfile.gettempdir(), f"tenantbill-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise CacheUnusable(
            "this folder is another user's, who could change what is billed",
            where=folder,
            remedy=f"name a folder of your own with {CACHE}",
        )
    return folder.absolute()


def _host(scheme: str) -> str:
    """Which service or account addresses of the kind mean, if that is said; without user info."""
    told = next(filter(None, map(os.environ.get, KINDS[scheme].hosts)), "")
    return quote(urlsplit(told).netloc.rpartition("@")[2] or told, safe=":").replace("%", "_")

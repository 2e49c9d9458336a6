"""What goes wrong with an object store, by our names, and without any secret.

Belongs here: failures. Does not belong here: what was being done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BillingError
from pipeline.extras import needed
from pipeline.remote.place import name_of

_SECRET = re.compile(r"(AWS|AZURE|GOOGLE)_.*(KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIAL)")

_LONGEST = 240


class ObjectStoreFailed(BillingError):
    """The object store does not answer, or does not let us read or write there."""


class ChangedMeanwhile(Exception):
    """Somebody else wrote what was to be written only if nobody had."""


@contextmanager
def by_our_names(path: Path) -> Iterator[None]:
    """Raise `ObjectStoreFailed` for what the libraries raise, but for what is simply not there."""
    faults = needed("obstore.exceptions", "objects")
    try:
        yield
    except (faults.AlreadyExistsError, faults.PreconditionError) as error:
        raise ChangedMeanwhile from error
    except (faults.BaseError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # It is about a file here.
        told = str(error)
        if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in told:
            raise FileNotFoundError(2, "there is no such object", name_of(path)) from None
        raise failed(path, told) from None


def failed(path: Path, told: str) -> ObjectStoreFailed:
    """What a library said, as an error of ours."""
    if "NoSuchBucket" in told:
        what, remedy = "there is no such bucket", "create it, or correct the address"
    elif "builder error" in told:
        what = "the address of the service begins with http://, which is not allowed"
        remedy = "use https://, or allow it with AWS_ALLOW_HTTP=true"
    elif any(word in told for word in ("403", "401", "AccessDenied", "credential")):
        what = f"the credentials do not allow this: {without_secrets(told)}"
        remedy = "see that the environment has the right ones, such as AWS_ACCESS_KEY_ID"
    else:
        what = f"the object store failed: {without_secrets(told)}"
        remedy = "nothing more was published; see that it is to be reached, and run again"
    return ObjectStoreFailed(what, where=name_of(path), remedy=remedy)


def without_secrets(told: str) -> str:
    """What a library said, in one line and cut short, without anything secret."""
    told = re.split(r"<\?xml|Debug source", told)[0]
    told = " ".join(re.sub(r"\x1b\[\d+m|↳", "", told).split())
    for name, value in os.environ.items():
        if value and _SECRET.match(name):
            told = told.replace(value, "***")
    told = re.sub(r"://[^/\s@]*@", "://***@", told)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]} …"

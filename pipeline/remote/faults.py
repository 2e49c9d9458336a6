"""What goes wrong with an object store, by our names, and without any secret.

Belongs here: failures. Does not belong here: what was being done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import BillingError
from pipeline.extras import needed
from pipeline.remote.place import Mirrored

_SECRET = re.compile(r"(AWS|AZURE|GOOGLE)_.*(KEY|SECRET|TOKEN|PASSWORD|SAS|CREDENTIAL)")

_LONGEST = 240


class ObjectStoreFailed(BillingError):
    """The object store does not answer, or does not let us read or write there."""


class ChangedMeanwhile(Exception):
    """Somebody else wrote what was to be written only if nobody had."""


@contextmanager
def by_our_names(path: Mirrored) -> Iterator[None]:
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
        if isinstance(error, FileNotFoundError) and not _has_no_bucket(told):
            raise FileNotFoundError(2, "there is no such object", path.address) from None
        raise failed(path, told) from None


def failed(path: Mirrored, told: str) -> ObjectStoreFailed:
    """What a library said, as an error of ours."""
    variables = path.variables
    if _has_no_bucket(told):
        what, remedy = "there is no such bucket", "create it, or correct the address"
    elif "builder error" in told:
        what = "the address of the service begins with http://, which is not allowed"
        remedy = f"use https://, or allow it with {variables.allow_http}=true"
    elif any(word in told for word in ("403", "401", "AccessDenied", "credential")):
        what = f"the credentials do not allow this: {without_secrets(told)}"
        remedy = f"see that the environment has the right ones, such as {variables.credential}"
    else:
        what = f"the object store failed: {without_secrets(told)}"
        remedy = "nothing more was published; see that it is to be reached, and run again"
    return ObjectStoreFailed(what, where=path.address, remedy=remedy)


def _has_no_bucket(told: str) -> bool:
    return "NoSuchBucket" in told or "ContainerNotFound" in told


def without_secrets(told: str) -> str:
    """What a library said, in one line and cut short, without anything secret."""
    told = re.split(r"<\?xml|Debug source|\n +0: ", told)[0]
    told = " ".join(re.sub(r"\x1b\[\d+m|↳", "", told).split())
    for name, value in os.environ.items():
        if value and _SECRET.match(name):
            told = told.replace(value, "***")
    told = re.sub(r"://[^/\s@]*@", "://***@", told)
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]} …"

"""Stores of objects: flat, and each object appears whole."""

from collections.abc import Iterator
from typing import Any

from bnet.stores.dialect import Dialect


class ObjectStore(Dialect):
    """A flat space of keys; an object appears when its upload is complete."""

    whole = True

    def files(self, system: Any, at: str) -> Iterator[str]:
        yield from system.find(at)

    def is_there(self, system: Any, base: str) -> bool:
        return bool(system.exists(base.strip("/").partition("/")[0]))


class S3(ObjectStore):
    """S3 and what is compatible; endpoint, region and credentials are boto's matter (AWS_ENDPOINT_URL, ...)."""

    def options(self) -> dict[str, Any]:
        times = {"connect_timeout": self.timeout, "read_timeout": self.timeout}
        # Who calls has a time-out of its own, so that there is little use in trying long.
        return {"config_kwargs": {**times, "retries": {"max_attempts": 1}}, "use_listings_cache": False}

    def is_file(self, system: Any, at: str) -> bool:
        bucket, _, key = at.lstrip("/").partition("/")
        try:
            system.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False  # one request; `info` would list what is below
        return True

    def connect(self) -> tuple[Any, str]:
        system, base = super().connect()
        system.retries = 1  # attempts, besides those of the library below
        return system, base

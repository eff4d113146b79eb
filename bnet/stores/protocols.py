"""Which dialect a protocol is spoken in, and what it needs; each is imported when it is spoken."""

from bnet.stores.dialect import Dialect
from bnet.stores.objects import S3, ObjectStore


def _webdav(url: str, timeout: float) -> Dialect:
    from bnet.stores.webdav import Webdav

    return Webdav(url, timeout)


def _sftp(url: str, timeout: float) -> Dialect:
    from bnet.stores.sftp import Sftp

    return Sftp(url, timeout)


# What has to be installed besides bnet, for protocols whose package has another name.
PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "webdav": "webdav4",
    "webdavs": "webdav4",
    "dav": "webdav4",
    "davs": "webdav4",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "oci": "ocifs",
    "oss": "ossfs",
    "smb": "smbprotocol",
}

DIALECTS = {
    "s3": S3,
    "s3a": S3,
    "sftp": _sftp,
    "ssh": _sftp,
    "webdav": _webdav,
    "webdavs": _webdav,
    "dav": _webdav,
    "davs": _webdav,
    **dict.fromkeys(("gs", "gcs", "az", "abfs", "oci", "oss", "tos"), ObjectStore),
}


def dialect_of(url: str, timeout: float) -> Dialect:
    """Return what speaks a URL's protocol.

    Raises:
        ImportError: it needs a package that is not installed.
    """
    return DIALECTS.get(url.partition("://")[0], Dialect)(url, timeout)

"""A process that sends one message through Apprise, and ends: it is slow to import, and what hangs can be killed.

It reads `{"url", "title", "body", "format", "timeout", "files"}` as JSON, and writes a text: "" or why it failed.
Nothing of what Apprise says is passed on but what is recognised here: its words may hold an address, and so a secret.
"""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

_CODE = re.compile(r"error[=: ]+([1-5]\d\d)\b")
_WORDS = (
    (re.compile(r"authenticat|credential|login|535", re.IGNORECASE), "its credentials are not taken"),
    (re.compile(r"timed? ?out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"certificate|ssl", re.IGNORECASE), "its certificate is not trusted"),
    (re.compile(r"name or service|resolve|getaddrinfo|nodename", re.IGNORECASE), "there is no such host"),
    (re.compile(r"refused|connection|reach|socket", re.IGNORECASE), "it cannot be reached"),
)


def main() -> None:
    """Send what stands on standard input."""
    asked = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps(send(asked["url"], asked)))


def send(url: str, asked: dict[str, Any]) -> str:
    """Send a message to one address; "" where it went, or why it did not."""
    to = opened(url, asked)
    if to is None:
        return "is no address that Apprise knows"
    title, body = asked["title"], asked["body"]
    try:
        done = to.notify(title=title, body=body, body_format=asked["format"], attach=asked["files"])
        words = [entry.message for each in done.results for entry in each.logs()]
    # Whatever a plug-in of Apprise raises; its words may hold the address, so that only the kind is told.
    except Exception as error:
        return f"failed with {type(error).__name__}"
    return "" if done else reason(words)


def opened(url: str, asked: dict[str, Any]) -> Any:
    """Return what Apprise makes of an address; None where it knows no such service."""
    import apprise

    asset = apprise.AppriseAsset(storage_mode="memory", app_id="bnet", app_desc="bnet", app_url="")
    to = apprise.Apprise(asset=asset)
    try:
        if not to.add(url):
            return None
    # Likewise: what a plug-in cannot read is said to be no address, and nothing of it is shown.
    except Exception:
        return None
    for service in to:
        # Apprise waits four seconds: what answers later would get the message again and again.
        service.socket_read_timeout = max(service.socket_read_timeout, asked["timeout"])
        # A service refuses what is too long for it, at each try. What is cut off stands in `bnet history`; of
        # several files Apprise would cut off all but one.
        if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
            service.overflow_mode = (
                apprise.OverflowMode.SPLIT if asked["files"] else apprise.OverflowMode.TRUNCATE
            )
    return to


def reason(words: Iterable[str]) -> str:
    """Say why a service did not take a message, by what of Apprise's words is recognised."""
    text = "\n".join(words)
    code = _CODE.search(text)
    if code is not None:
        return f"answers {code[1]}" + (" (too many messages)" if code[1] == "429" else "")
    return next((told for pattern, told in _WORDS if pattern.search(text)), "does not take it")


if __name__ == "__main__":
    main()

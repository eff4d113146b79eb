"""Messages leave through a process of their own: what one address does is not said of another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bnet.model.notify import Channel
from bnet.process import Completed, TimedOut
from bnet.senders import child, outgoing


def test_an_address_that_hangs_does_not_make_the_others_get_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: object, *, input: bytes, **more: Any) -> Completed:
        if "hangs" in json.loads(input)["url"]:
            raise TimedOut
        return Completed(0, b'""', b"")

    monkeypatch.setattr(outgoing, "run", run)
    channel = Channel(urls=("json://works", "json://hangs"), timeout="5s")
    told = outgoing.AppriseMessenger(dict).send(channel, (0, 1), "t", "b")
    assert told == {1: "did not answer within 5 s"}


@pytest.mark.parametrize(("files", "mode"), [([], "truncate"), (["a.pdf", "b.csv"], "split")])
def test_what_is_too_long_for_a_service_gets_there_all_the_same(files: list[str], mode: str) -> None:
    to = child.opened("discord://123456789012345678/" + "a" * 60, {"timeout": 5, "files": files})
    assert to is not None and [each.overflow_mode.value for each in to] == [mode]

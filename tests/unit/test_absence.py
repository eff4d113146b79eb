"""How often an agent asks a hub that is away."""

from __future__ import annotations

import pytest

from bnet.app.server.service import pause_s


@pytest.mark.parametrize(
    ("interval", "failures", "ttl_s", "seconds"),
    [
        (0.2, 1, 300, 2),
        (2, 3, 300, 16),
        (2, 100, 300, 60),
        (1, 100, 30, 10),  # a holder is to be seen again within its TTL once the hub is back
        (20, 1, 30, 20),  # and never asks more often than while all is well
        (90, 4, 300, 90),
    ],
)
def test_a_hub_that_is_away_is_asked_less_and_less_often_and_never_too_seldom_for_a_lease(
    interval: float, failures: int, ttl_s: float, seconds: float
) -> None:
    assert pause_s(interval, failures, ttl_s) == seconds

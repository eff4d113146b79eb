"""Which failures of a job are tried again, and how often."""

import re
from collections.abc import Sequence

from bnet.model.command import Retry
from bnet.model.job import RetryRule
from bnet.rules.jobs import Illegal

LOST_TWICE = RetryRule(limit=2, reasons=("lost",))
ANY_FAILURE = range(1, 256)


def retry_rules(retry: int | Sequence[Retry] | None) -> tuple[RetryRule, ...]:
    """Return the rules that a submission's `retry` means; a job that was lost is tried twice more if none says so.

    Raises:
        Illegal: it names no exit code, or no reason.
    """
    if retry is None:
        return (LOST_TWICE,)
    if isinstance(retry, int):
        return (RetryRule(limit=retry),)
    rules = [
        RetryRule(limit=each.limit, exit_codes=_codes(each.exit_code), reasons=_reasons(each.reason))
        for each in retry
    ]
    covered = any(rule.reasons and "lost" in rule.reasons for rule in rules)
    return tuple(rules) if covered else (*rules, LOST_TWICE)


def _codes(code: int | str | Sequence[int | str] | None) -> tuple[int, ...] | None:
    if code is None:
        return None
    codes: list[int] = []
    for each in [code] if isinstance(code, int | str) else code:
        span = re.fullmatch(r"(-?\d{1,4})(?:-(\d{1,4}))?", str(each))
        if each == "*":
            codes += ANY_FAILURE
        elif span is None or not 0 <= int(span[2] or span[1]) - int(span[1]) <= 255:
            raise Illegal(f"retry: {each!r} is no exit code; write a number, a span such as 64-78, or '*'")
        else:
            codes += range(int(span[1]), int(span[2] or span[1]) + 1)
    return tuple(dict.fromkeys(codes))


def _reasons(reason: str | Sequence[str] | None) -> tuple[str, ...] | None:
    known = ("lost", "timeout", "silence", "artifacts", "internal", "exit")
    reasons = None if reason is None else (reason,) if isinstance(reason, str) else tuple(reason)
    for each in reasons or ():
        if each not in known:
            raise Illegal(f"retry: {each!r} is no reason; the reasons are {', '.join(known)}")
    return reasons

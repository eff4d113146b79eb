"""Issues of a repository on GitHub, through its command line `gh`, which knows the host and has the token."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bnet.errors import BnetError
from bnet.health.issues import LABEL, Issue, Step
from bnet.process import TimedOut, run

_SENSELESS = (ValueError, KeyError, TypeError, RecursionError)
TIMEOUT = 60.0  # seconds for one call


class Refused(BnetError):
    """The forge did not want one thing; it may take others."""


class GhIssues:
    """The issues of one repository that bear our label."""

    def __init__(self, repository: str, env: Mapping[str, str]) -> None:
        """Keep which repository is meant, as `owner/name`, and the environment with the token."""
        self._path = f"/repos/{repository}/issues"
        self._env = env

    def there(self) -> list[Issue]:
        """Return the open ones.

        Raises:
            BnetError: there is no `gh`, or it was refused.
        """
        told = self._api("GET", f"{self._path}?labels={LABEL}&state=open&per_page=100", "--paginate")
        try:
            pages = list(_values(told))
            listed = [each for page in pages for each in (page if isinstance(page, list) else [page])]
            return [
                Issue(int(each["number"]), str(each["title"]), str(each["body"] or ""))
                for each in listed
                if "pull_request" not in each
            ]
        except _SENSELESS:
            raise _not_understood(told) from None

    def do(self, step: Step) -> int:
        """Do one step; return the issue's number.

        Raises:
            BnetError: it was refused.
        """
        if step.number is None:
            body = {"title": step.title, "body": step.body, "labels": [LABEL]}
            told = self._api("POST", self._path, body=body)
            try:
                made = json.loads(told)
                number, labels = int(made["number"]), {each["name"] for each in made["labels"]}
            except _SENSELESS:
                raise _not_understood(told) from None
            if LABEL not in labels:
                # It would not be found again, and be opened anew at each look.
                raise BnetError(
                    f"the issue #{number} was opened without the label {LABEL}",
                    hint=f"the token may not set labels; make the label {LABEL} in the repository, and put it there",
                )
            return number
        if step.title is None:
            body = {"state": "closed", "state_reason": "completed"}
        else:
            body = {"title": step.title, "body": step.body}
        self._api("PATCH", f"{self._path}/{step.number}", body=body)
        return step.number

    def _api(self, method: str, path: str, *more: str, body: Mapping[str, Any] | None = None) -> str:
        words = ["gh", "api", "--method", method, path, *more]
        data = None if body is None else json.dumps(body).encode()
        try:
            done = run(
                [*words, *([] if data is None else ["--input", "-"])],
                env=self._env,
                input=data,
                timeout=TIMEOUT,
            )
        except FileNotFoundError:
            raise BnetError(
                "there is no gh on PATH; issues are kept through it", hint="https://cli.github.com"
            ) from None
        except TimedOut as error:
            raise BnetError(f"the forge did not answer: {error}") from None
        if done.code != 0:
            raise Refused(
                f"the forge refused the issues: {done.complaint}",
                hint="GH_TOKEN needs the right to read and write issues of that repository",
            )
        return done.out.decode(errors="replace")


def _not_understood(told: str) -> BnetError:
    return BnetError(
        f"what the forge says of its issues cannot be understood: {told.strip()[:80] or 'nothing'}"
    )


def _values(text: str) -> Iterator[Any]:
    """Yield JSON values that follow each other: older versions of `gh` print one list a page."""
    decoder, at = json.JSONDecoder(), 0
    while (rest := text[at:].lstrip()) != "":
        at = len(text) - len(rest)
        value, at = decoder.raw_decode(text, at)
        yield value

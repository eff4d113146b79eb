"""Messages to people: the addresses of channels are filled in here, and handed to a process that sends."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bnet.codec.durations import parse_duration
from bnet.codec.notifications import BEGIN, VARIABLE, urls_of
from bnet.model.notify import Channel
from bnet.ports.outside import Attachment
from bnet.process import TimedOut, run

STARTUP_S = 20.0  # seconds that the process itself may take on a slow machine


class AppriseMessenger:
    """The `Messenger` of a server."""

    def __init__(self, env: Callable[[], Mapping[str, str]]) -> None:
        """Keep what tells the environment with the secrets, which people may mend meanwhile."""
        self._env_now = env

    def lacks(self, channel: Channel) -> Sequence[str]:
        env = self._env_now()
        names = (name for url in urls_of(channel) for name in VARIABLE.findall(url))
        return sorted({name for name in names if not env.get(name)})

    def send(
        self,
        channel: Channel,
        urls: Sequence[int],
        title: str,
        body: str,
        attachments: Sequence[Attachment] = (),
    ) -> Mapping[int, str]:
        try:
            with TemporaryDirectory(prefix="bnet-message-") as place:
                files = [Path(place, each.name) for each in attachments]
                for file, each in zip(files, attachments, strict=True):
                    file.write_bytes(each.data)
                return self._send(channel, urls, title, body, files)
        except OSError as error:
            return dict.fromkeys(urls, f"nothing can be written on this server: {error.strerror}")

    def _send(
        self, channel: Channel, urls: Sequence[int], title: str, body: str, files: Sequence[Path]
    ) -> Mapping[int, str]:
        written, ours = urls_of(channel), self._env_now()
        limit = parse_duration(channel.timeout)
        env = {name: value for name, value in ours.items() if not name.startswith(BEGIN)}
        asked = {
            "title": title,
            "body": body,
            "files": [str(each) for each in files],
            "format": channel.format,
            "timeout": limit,
        }
        failed = {}
        for each in urls:  # each by itself: where one is killed, it is known what became of the others
            url = VARIABLE.sub(lambda match: ours.get(match[1], ""), written[each])
            if why := self._reach({**asked, "url": url}, env, limit):
                failed[each] = why
        return failed

    def _reach(self, asked: Mapping[str, object], env: Mapping[str, str], limit: float) -> str:
        try:
            done = run(
                [sys.executable, "-P", "-m", "bnet.senders.child"],
                env=env,
                input=json.dumps(asked).encode(),
                timeout=limit + STARTUP_S,
            )
            if done.code == 0:
                return str(json.loads(done.out))
        except TimedOut:
            return f"did not answer within {limit:g} s"
        except (OSError, ValueError):
            pass
        return "could not be sent: the process that sends failed"

"""The way to the hub, with weather of its own for each machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Kind = Literal["fair", "away", "stalls", "cut", "late", "twice"]
"""What becomes of a connection:

fair      nothing
away      it is refused
stalls    after so many bytes, in either direction, nothing more comes, and nobody says so
cut       after so many bytes, in either direction, it is closed
late      what the hub answers after so many bytes comes so many seconds later
twice     when it has ended, all that was asked is asked once more, on a connection of its own (plain HTTP only)
"""


FOR_EVER = 3600.0  # seconds


@dataclass(frozen=True)
class Weather:
    """A kind, with the bytes and the seconds that it speaks of."""

    kind: Kind = "fair"
    after: int = 0  # bytes
    seconds: float = 0.0


class Proxy:
    """Carries connections to services on this machine, in a thread of its own."""

    def __init__(self, address: str, ports: dict[int, int]) -> None:
        """Begin to listen.

        Args:
            address: where machines see the hub.
            ports: port there -> port of the service on the loopback.
        """
        self.met: Counter[str] = Counter()
        self._weather: dict[str, Weather] = {}
        self._everywhere = Weather()
        self._loop = asyncio.new_event_loop()
        self._listening = [
            self._loop.run_until_complete(
                asyncio.start_server(lambda *ends, to=service: self._carry(to, *ends), address, port)
            )
            for port, service in ports.items()
        ]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def set(self, weather: Weather, machine: str | None = None) -> None:
        """Change the weather on the way of one machine, by its address, or of all; connections to come meet it."""
        if machine is None:
            self._everywhere = weather
        else:
            self._weather[machine] = weather

    def close(self) -> None:
        """Take no more connections, and drop those that there are."""

        async def drop() -> None:
            for each in self._listening:
                each.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for each in left:
                each.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.sleep(0)  # a connection is closed in the turn after the one that asks for it

        asyncio.run_coroutine_threadsafe(drop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _carry(
        self, service: int, asking: asyncio.StreamReader, answering: asyncio.StreamWriter
    ) -> None:
        peer = answering.get_extra_info("peername")[0]
        weather = self._everywhere if self._everywhere.kind != "fair" else self._weather.get(peer, Weather())
        if weather.kind != "fair":
            self.met[weather.kind] += 1
        if weather.kind == "away":
            answering.transport.abort()
            return
        try:
            asked = await _between(service, weather, asking, answering)
            if weather.kind == "twice" and asked:
                await _ask_again(service, asked)
        except (OSError, asyncio.CancelledError):  # the second is said when all is closed
            answering.transport.abort()


async def _between(
    service: int, weather: Weather, asking: asyncio.StreamReader, answering: asyncio.StreamWriter
) -> bytes:
    """Carry one connection to its end, and return all that was asked."""
    hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", service)
    asked = bytearray()
    passed = 0  # bytes, in both directions

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        nonlocal passed
        while data := await source.read(1 << 16):
            if weather.kind in ("stalls", "cut") and passed + len(data) > weather.after:
                sink.write(data[: max(0, weather.after - passed)])
                if weather.kind == "stalls":
                    await asyncio.sleep(FOR_EVER)
                raise ConnectionResetError("cut")
            passed += len(data)
            if weather.kind == "late" and source is hub_reader and passed > weather.after:
                await asyncio.sleep(weather.seconds)
            if weather.kind == "twice" and source is asking:
                asked.extend(data)
            sink.write(data)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()

    try:
        await asyncio.gather(pump(asking, hub_writer), pump(hub_reader, answering))
    except (OSError, asyncio.CancelledError):
        hub_writer.transport.abort()
        raise
    hub_writer.close()
    answering.close()
    return bytes(asked)


async def _ask_again(service: int, asked: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service)
    writer.write(asked)
    writer.write_eof()
    while await reader.read(1 << 16):
        pass
    writer.close()

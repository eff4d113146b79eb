"""The log: bounded, and without secrets."""

import os

MIN_SECRET = 6  # bytes; masking shorter values would make the log unreadable
MIN_LOG_LIMIT = 4096  # bytes
KEPT_PIECES = 2


class Masker:
    """Replaces secret values in a stream, also where a read ends in the middle of one."""

    def __init__(self, secrets: list[bytes]) -> None:
        # The longest first, so that it wins where two start at the same byte.
        self._secrets = sorted({s for s in secrets if len(s) >= MIN_SECRET}, key=len, reverse=True)
        self._held = b""

    def feed(self, data: bytes, final: bool = False) -> bytes:
        """Return what can be shown now; only a suffix that may begin a secret waits for the next call."""
        if not self._secrets:
            return data
        data, shown, at = self._held + data, [], 0
        while True:
            hit, size = self._first(data, at)
            cut = len(data) if final else self._beginning(data, at)
            if hit < 0 or cut <= hit:  # a longer secret may yet turn out to cover this hit
                break
            shown += [data[at:hit], b"***"]
            at = hit + size
        self._held = data[cut:]
        return b"".join([*shown, data[at:cut]])

    def _first(self, data: bytes, at: int) -> tuple[int, int]:
        """Return where the first whole secret is, and its size; -1 when there is none."""
        best, size = -1, 0
        for secret in self._secrets:
            hit = data.find(secret, at)
            if hit >= 0 and (best < 0 or hit < best):
                best, size = hit, len(secret)
        return best, size

    def _beginning(self, data: bytes, at: int) -> int:
        """Return where the longest suffix starts that is a proper prefix of a secret, or the end."""
        best = len(data)
        for secret in self._secrets:
            hit = data.find(secret[:1], max(at, len(data) - len(secret) + 1))
            while 0 <= hit < best and not secret.startswith(data[hit:]):
                hit = data.find(secret[:1], hit + 1)
            if 0 <= hit < best:
                best = hit
        return best


class Log:
    """The head of the output in `log`, and its tail in the newest two `log.<offset>`.

    The offset in a name is that of the file's first byte in the whole output, so bytes that were cut or that
    a full disk did not take show as a gap between one file's end and the next one's offset.
    """

    def __init__(self, directory: str, limit: int) -> None:
        limit = max(limit, MIN_LOG_LIMIT)
        self._directory = directory
        self._sizes = (limit // 2, limit // 4)
        self._pieces: list[str] = []
        self._descriptor = -1
        self._room = 0
        self._recent = b""
        self.size = 0  # bytes of the whole output, lost ones included
        self.lost = 0  # bytes
        try:
            self._next_piece()  # a follower finds the file from the start
        except OSError:
            pass

    def write(self, data: bytes) -> None:
        """Append bytes; never raises, what the disk does not take is counted as lost."""
        rest = memoryview(data)
        self._recent = (self._recent + data[-2000:])[-2000:]
        while rest:
            count = self._append(rest)
            if not count:
                self.lost += len(rest)
                count = len(rest)
            self.size += count
            rest = rest[count:]

    def line(self, text: str, masker: Masker) -> None:
        """Append a line of the supervisor's own."""
        start = b"" if self._recent[-1:] in (b"", b"\n") else b"\n"
        self.write(start + masker.feed(os.fsencode(text), final=True) + b"\n")

    def last_line(self) -> str:
        """Return the last line that is not blank, shortened to 300 characters."""
        lines = [line for line in self._recent.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else ""

    def _append(self, data: memoryview) -> int:
        """Write what the current piece has room for; 0 when the disk does not take a byte."""
        try:
            if not self._room:
                self._next_piece()
            count = os.write(self._descriptor, data[: self._room])
        except OSError:
            self._abandon_piece()
            return 0
        self._room -= count
        return count

    def _next_piece(self) -> None:
        self.close()
        name = f"{self._directory}/log.{self.size:012d}" if self.size else f"{self._directory}/log"
        self._descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._room = self._sizes[1 if self.size else 0]
        if self.size:
            self._pieces.append(name)
        for old in self._pieces[:-KEPT_PIECES]:
            os.unlink(old)
        del self._pieces[:-KEPT_PIECES]

    def _abandon_piece(self) -> None:
        """Go on in a new piece once the disk takes bytes again: its name tells how many are missing."""
        empty = self._descriptor >= 0 and self._room == self._sizes[1] and self._pieces
        self.close()
        self._room = 0
        if empty:
            try:
                os.unlink(self._pieces.pop())
            except OSError:
                pass

    def close(self) -> None:
        """Close the current piece."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

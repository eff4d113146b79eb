"""What a terminal would obey in the output of a job: found, and made harmless."""

import codecs
import re

from bnet.codec.shown import escaped

SEQUENCE = re.compile(
    r"\x1b\[([0-9;:]*)m"  # a colour, ...
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # ... a movement,
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # a title, a link, a private message,
    r"|\x1b[ -/]*[0-~]"  # and what is left
)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)?\Z")
_OWN_LINE = re.compile(r"\x1b\[[0-2]?K")  # what programs erase with when they write a line anew
LONGEST = 4096  # characters in which what has begun may end


class Harmless:
    """A log on its way to a terminal: it may be coloured and write its own line anew, and nothing else."""

    def __init__(self, *, colours: bool) -> None:
        """Begin with nothing.

        Args:
            colours: whether they stay.
        """
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._colours = colours
        self._held = ""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """Return what comes of the next bytes; what has only begun waits for the ones after them."""
        text = self._held + self._decoder.decode(data, last)
        begun = _BEGUN.search(text, max(0, len(text) - LONGEST))
        cut = len(text) if last or begun is None else begun.start()
        text, self._held = text[:cut], text[cut:]
        parts, at = [], 0
        for found in SEQUENCE.finditer(text):
            parts.append(escaped(text[at : found.start()], keep="\t\r\n"))
            if (found[1] is not None and self._colours) or _OWN_LINE.fullmatch(found[0]):
                parts.append(found[0])
            at = found.end()
        return "".join(parts) + escaped(text[at:], keep="\t\r\n")

"""A build as JUnit XML, which CI systems show as test results: a suite of packages, a case for each."""

import re
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree

from bnet.build.engine import Report
from bnet.build.outcome import Outcome
from bnet.build.totals import has_run

LONGEST = 1 << 20  # characters of a log that are kept, its end: readers hold a whole report in memory
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# What XML 1.0 cannot hold, not even escaped: https://www.w3.org/TR/xml/#charsets
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report, said: Callable[[Outcome], str], *, name: str, host: str, at: datetime) -> bytes:
    """Return a build as JUnit XML, in the common ground of Ant's and Jenkins' schemas.

    Args:
        report: the build.
        said: returns what a package's command printed.
        name: of the suite.
        host: where it was built.
        at: when it ended, in UTC.
    """
    failed = [each for each in report.outcomes if each.result == "failure"]
    skipped = [each for each in report.outcomes if each.result == "skipped"]
    errors = len(report.failed) - len(failed) - len(skipped)
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        id="0",
        package=_text(name),
        name=_text(name),
        hostname=_text(host) or "localhost",
        timestamp=at.strftime("%Y-%m-%dT%H:%M:%S"),
        tests=str(len(report.outcomes)),
        failures=str(len(failed)),
        errors=str(errors),
        skipped=str(len(skipped)),
        time=f"{report.seconds:.3f}",
    )
    ElementTree.SubElement(suite, "properties")
    for each in report.outcomes:
        _case(suite, each, said, name)
    # A case of Ant's schema holds nothing but its failure, so what went well is told in the suite's output.
    ElementTree.SubElement(suite, "system-out").text = _text(
        "\n".join(
            f"{each.name}: {each.tier if each.result == 'success' else each.result}; {each.reason}"
            for each in report.outcomes
        )
    )
    ElementTree.SubElement(suite, "system-err").text = _text(report.complaint)
    ElementTree.indent(root)
    body: str = ElementTree.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()


def _case(suite: ElementTree.Element, done: Outcome, said: Callable[[Outcome], str], name: str) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=_text(done.name), classname=_text(name), time=f"{done.seconds:.3f}"
    )
    if done.result == "skipped":
        ElementTree.SubElement(case, "skipped", message=_text(done.reason))
    elif done.result != "success":
        kind = "failure" if done.result == "failure" else "error"
        told = ElementTree.SubElement(case, kind, message=_text(done.reason), type=done.result)
        told.text = _text(said(done)) if has_run(done) else ""


def _text(text: str) -> str:
    """Return what XML can hold of a text: no colours, and a control character as `\\x07`, written out."""
    if len(text) > LONGEST:
        text = f"({len(text) - LONGEST} characters before this are left out)\n{text[-LONGEST:]}"
    return _IMPOSSIBLE.sub(lambda found: f"\\x{ord(found[0]):02x}", _ESCAPES.sub("", text))

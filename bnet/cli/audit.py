"""`bnet audit`: what happened to the network, from the ledger's history alone."""

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import out, out_json
from bnet.errors import AnswerNo


@click.group()
def audit() -> None:
    """Look back at what happened.

    Example: bnet audit verify
    """


@audit.command()
@json_option
@pass_app
def verify(app: App, as_json: bool) -> None:
    """Replay the ledger from its first commit by the rules: was each transaction legal?

    Exit 1 if one was not; it is named, with who made it, and what was wrong with it.

    Example: bnet audit verify
    """
    from bnet.app.audit import audit as replay

    ledger = app.read()
    found = replay(ledger.hub, ledger.state.tip)
    if as_json:
        out_json(
            {
                "transactions": found.transactions,
                "verbs": dict(sorted(found.verbs.items())),
                "by_hand": found.by_hand,
                "wrong": [
                    {
                        "commit": each.stamp.commit,
                        "seq": each.stamp.seq,
                        "by": each.stamp.actor,
                        "at": each.stamp.at,
                        "target": each.fault.target,
                        "text": each.fault.text,
                    }
                    for each in found.wrong
                ],
            }
        )
    else:
        for each in found.wrong:
            made = f"{each.stamp.commit[:10]} ({each.stamp.actor}, {each.stamp.at:%Y-%m-%dT%H:%M:%SZ})"
            out(f"{made}: {each.fault.target} {each.fault.text}")
        things = ", ".join(f"{count} {verb}" for verb, count in sorted(found.verbs.items()))
        out(f"{found.transactions} transactions replayed ({things})")
    if found.wrong:
        commits = len({each.stamp.commit for each in found.wrong})
        raise AnswerNo(f"{commits} of {found.transactions} transactions were not legal")
    if not as_json:
        out("all of them were legal")

"""`bnet join`: make this machine a server, after trying what it can do."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from bnet.app.hub.join import Application, Joined, check_home, check_name, read_hub, try_hub
from bnet.app.hub.join import join as join_network
from bnet.app.hub.probes import Probe, RoundTrips
from bnet.cli.context import App, absolute, json_option, pass_app
from bnet.cli.render import note, out, out_json
from bnet.host.minutely import Kind, own_program

COUNT_EVERY = 30.0  # seconds between two lines about a wait


def _labels(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    from bnet.model.base import is_name

    labels = {}
    for each in value:
        key, equals, text = each.partition("=")
        if not equals or not is_name(key):
            raise click.BadParameter(f"{each!r} is no KEY=VALUE, as in os=linux")
        labels[key] = text
    return labels


@click.command()
@click.argument("hub", required=False)
@click.option("--name", required=True, help="The server's name, unique in its network.")
@click.option(
    "--label", "labels", multiple=True, callback=_labels, metavar="K=V", help="What jobs choose by."
)
@click.option("--slots", type=click.IntRange(0), metavar="N", help="Jobs at a time; otherwise one per core.")
@click.option("--accept-queue", "queues", multiple=True, metavar="Q", help="Take jobs of this queue only.")
@click.option(
    "--accept-submitter", "submitters", multiple=True, metavar="S", help="Take jobs of this person only."
)
@click.option("--branch", help="The ledger's branch, where it is not the usual one.")
@click.option("--cron", "by_cron", is_flag=True, help="Let cron run `bnet sync` each minute.")
@click.option("--systemd", "by_systemd", is_flag=True, help="Let a systemd timer do so.")
@click.option("--replace", is_flag=True, help="Take the name over from a server that is seen to be silent.")
@json_option
@pass_app
def join(
    app: App,
    hub: str | None,
    branch: str | None,
    by_cron: bool,
    by_systemd: bool,
    replace: bool,
    as_json: bool,
    name: str,
    slots: int | None,
    labels: dict[str, str],
    queues: tuple[str, ...],
    submitters: tuple[str, ...],
) -> None:
    """Make this machine a server of a network. First it is tried what this machine can do with the hub.

    Joining again under the same name brings slots, labels and the cron entry up to date.

    Example: bnet join git@github.com:team/builds.git --name build1 --label gpu=no --cron
    """
    if by_cron and by_systemd:
        raise click.UsageError("either --cron or --systemd")
    machine = app.machine
    url = app.url if hub is None else machine.hub_named(absolute(hub))
    if branch is not None:
        machine.settle(url, branch)
    place = machine.place(url)
    asked = Application(
        hub=url,
        branch=place.branch,
        name=name,
        slots=slots,
        labels=labels,
        queues=queues,
        submitters=submitters,
        path=machine.env.get("PATH", ""),
    )
    before = machine.identity
    check_home(before, asked)
    kind: Kind | None = "cron" if by_cron else "systemd" if by_systemd else None
    program = own_program(sys.argv[0])
    trials = _Trials(as_json)
    ledger = machine.ledger(url, asked.name)
    if kind is not None:
        machine.minutely().check(kind, program)
    trips = RoundTrips(ledger.hub, machine.clock)
    look = read_hub(ledger, trips, trials, machine.advice(url))
    if not replace:
        check_name(ledger.state, before, name)
    try_hub(
        ledger,
        trips,
        look,
        trials,
        mend=_write_advice(url),
        by_cron=kind is not None,
        clock_of_hub=lambda: machine.grounds.server_time(url),
    )
    _try_unattended(app, url, kind, program, trials)
    joined = join_network(ledger, machine, before, asked, replace=replace, progress=Waiting(asked.name))
    machine.keep(url, ledger)
    todo = None if kind is None else machine.minutely().install(kind, program)
    if todo:
        trials(Probe(name=str(kind), ok=False, said="the timer is installed", mend=todo))
    if as_json:
        out_json(_joined_json(joined, kind, trials))
    else:
        _tell_joined(app, joined, kind, trials, ledger.state.settings.name)


class _Trials:
    """The trials of a join: told as they come, kept for the end."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.all: list[Probe] = []

    def __call__(self, probe: Probe) -> None:
        self.all.append(probe)
        if self.quiet:
            return
        answer = {True: "yes", False: "NO", None: "?"}[probe.ok]
        colour = {True: "green", False: "red", None: "yellow"}[probe.ok]
        note(f"{probe.name:<10} {click.style(f'{answer:<3}', fg=colour)}  {probe.said}")
        if probe.mend:
            note(f"{'':<10} {'':<3}  -> {probe.mend}")

    def failed(self) -> list[Probe]:
        return [probe for probe in self.all if probe.ok is False]


class Waiting:
    """Tells now and then how a wait goes on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: float | None = None

    def __call__(self, unmoved: float, ttl: float) -> None:
        if self.told is None:
            note(f"waiting up to {ttl:.0f} s to see that {self.name} is silent; Ctrl-C changes nothing")
        elif unmoved - self.told < COUNT_EVERY:
            return
        else:
            note(f"{self.name} has been silent for {unmoved:.0f} of {ttl:.0f} s")
        self.told = unmoved


def _write_advice(url: str) -> str:
    if url.startswith(("http://", "https://")):
        how = "store a token that may push where Git finds it (`git config credential.helper`)"
    elif url.startswith("/"):
        how = f"give this user write permission on {url}"
    else:
        how = "give this machine's ssh key write access (on GitHub: a deploy key that may write)"
    return f"{how}; where only branches may be pushed, set telemetry_prefix in coordination/hub.yaml"


def _try_unattended(app: App, url: str, kind: Kind | None, program: Sequence[str], told: _Trials) -> None:
    """See whether it will work without anybody logged in."""
    if kind is None:
        return
    machine = app.machine
    complaint = machine.trial(program)
    if complaint:
        mend = "install bnet where it needs no PYTHONPATH, then join again (`pipx install bnet`)"
        told(
            Probe(
                name=kind, ok=False, said=f"{kind} cannot start {' '.join(program)}: {complaint}", mend=mend
            )
        )
    else:
        told(Probe(name=kind, ok=True, said=f"{kind} can start {' '.join(program)}"))
    if not url.startswith("/"):
        complaint = machine.grounds.readable_unattended(url)
        mend = "give this user a key without a pass phrase, or a stored token" if complaint else ""
        said = f"{kind} cannot read the hub: {complaint}" if complaint else f"{kind} can read the hub"
        told(Probe(name="unattended", ok=not complaint, said=said, mend=mend))


def _joined_json(joined: Joined, kind: Kind | None, trials: _Trials) -> dict[str, Any]:
    me = joined.identity
    return {
        "name": me.name,
        "hub": me.hub,
        "branch": me.branch,
        "instance": me.instance,
        "slots": me.slots,
        "labels": me.labels,
        "accept": {"queues": list(me.accept.queues), "submitters": list(me.accept.submitters)},
        "done": joined.verb,
        "ended": list(joined.ended),
        "schedule": kind,
        "probes": [
            {"name": each.name, "ok": each.ok, "said": each.said, "mend": each.mend} for each in trials.all
        ],
    }


def _tell_joined(app: App, joined: Joined, kind: Kind | None, trials: _Trials, network: str) -> None:
    me = joined.identity
    done = {
        "join": "has joined",
        "update": "is up to date in",
        "keep": "is as it was in",
        "replace": "is now this machine in",
    }[joined.verb]
    labels = " ".join(f"{key}={text}" for key, text in sorted(me.labels.items()))
    out(f"{me.name} {done} the network {network}: {me.slots} slots, labels {labels}")
    if joined.ended:
        out(f"taken from the old {me.name}: {' '.join(f'#{number}' for number in joined.ended)}")
    if trials.failed():
        out(f"to be mended: {', '.join(each.name for each in trials.failed())} (see above)")
    home = app.machine.home.path
    if kind is not None:
        out(f"{kind} runs `bnet sync` each minute for {home}; its log is {home / 'logs'}")
    else:
        out("next: `bnet agent` works until it is stopped; or join again with --cron or --systemd")

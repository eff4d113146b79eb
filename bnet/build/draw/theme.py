"""How a picture of a graph looks: a colour for each kind of state, in light and in dark."""

# Each is read as a bar beside a word, never alone; light and dark have a contrast of 3:1 or more to their ground.
_KINDS = {
    "idle": ("#6e7781", "#8b949e", ("waiting", "skipped", "cancelled")),
    "same": ("#1a7f5a", "#3fb98a", ("instant", "fresh", "success")),
    "kept": ("#0969da", "#58a6ff", ("local", "remote", "running")),
    "made": ("#9a6700", "#d9a521", ("incremental", "full")),
    "wrong": ("#cf222e", "#ff7b72", ("failure", "error", "timeout")),
}
_BY_STATE = {state: kind for kind, (_, _, states) in _KINDS.items() for state in states}


def kind_of(state: str | None) -> str:
    """Return the class of a state; that of an unknown one says nothing."""
    return _BY_STATE.get(state or "", "none")


def colour_of(state: str | None) -> str:
    """Return a state's colour on a light ground."""
    return _KINDS[_BY_STATE[state]][0] if state in _BY_STATE else "#6e7781"


def style() -> str:
    """Return the style sheet of a picture; its names begin with `bnet-graph`, for pages that hold several things."""
    light = {
        "bg": "#ffffff",
        "box": "#f6f8fa",
        "line": "#d0d7de",
        "edge": "#8c959f",
        "ink": "#1f2328",
        "dim": "#57606a",
    }
    dark = {
        "bg": "#0d1117",
        "box": "#161b22",
        "line": "#3d444d",
        "edge": "#6e7681",
        "ink": "#e6edf3",
        "dim": "#9198a1",
    }
    light |= {kind: colours[0] for kind, colours in _KINDS.items()} | {
        "none": light["line"],
        "hot": "#8250df",
    }
    dark |= {kind: colours[1] for kind, colours in _KINDS.items()} | {"none": dark["line"], "hot": "#bc8cff"}
    rules = [
        f".bnet-graph{{{_variables(light)}}}",
        f"@media (prefers-color-scheme:dark){{.bnet-graph{{{_variables(dark)}}}}}",
        ".bnet-graph text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}",
        ".bnet-graph .ground{fill:var(--bg)}",
        ".bnet-graph .title{font-size:17px;font-weight:600}",
        ".bnet-graph .about{font-size:12px;fill:var(--dim)}",
        ".bnet-graph .box{fill:var(--box);stroke:var(--line)}",
        ".bnet-graph .name{font-size:13px;font-weight:600}",
        ".bnet-graph .state{font-size:11px;fill:var(--dim)}",
        ".bnet-graph .edge{fill:none;stroke:var(--edge);stroke-width:1.3}",
        ".bnet-graph .tip{fill:var(--edge)}",
        ".bnet-graph .hot.edge{stroke:var(--hot);stroke-width:2.6}",
        ".bnet-graph .hot.tip{fill:var(--hot)}",
        ".bnet-graph .hot.box{stroke:var(--hot);stroke-width:1.6}",
    ]
    rules += [f".bnet-graph .is-{kind}{{fill:var(--{kind})}}" for kind in (*_KINDS, "none")]
    return "".join(rules)


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())

"""One build over many servers: a job for each package, with the graph's edges between them."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bnet.build.graph import Graph
from bnet.errors import BnetError
from bnet.model.command import Submit
from bnet.model.tree import Package
from bnet.rules.specs import slug


def spread(job: Submit, graph: Graph, names: Sequence[str]) -> list[Submit]:
    """Return a submission for each package that has to be built for `names`.

    What one server builds reaches the next by way of the shared store; a package that nothing builds has no job.

    Args:
        job: what they have in common: the source, labels, priority, ...
        graph: of the tree.
        names: the packages that are wanted.

    Raises:
        BnetError: the tree has no shared store.
    """
    if graph.tree.store is None:
        raise BnetError(
            "this tree has no shared store, by which outputs would pass from one server to the next",
            hint="add `store: {url: ...}` to bnet.yaml, or build on one server, without --spread",
        )
    packages = {package.name: package for package in graph.tree.packages}
    wanted = graph.closure(names)
    order = [name for name in graph.order() if name in wanted and packages[name].build_cmd is not None]
    titles: dict[str, str] = {}
    for name in order:
        title = slug(("build", name))
        titles[name] = title if title not in titles.values() else f"{title[:50]}-{len(titles)}"
    return [
        replace(
            job,
            name=titles[name],
            packages=(name,),
            needs=(*job.needs, *(titles[each] for each in _built_needs(packages, name))),
        )
        for name in order
    ]


def _built_needs(packages: Mapping[str, Package], name: str) -> list[str]:
    """Return the nearest packages below one that are built."""
    found: dict[str, None] = {}
    stack, seen = list(reversed(packages[name].dependencies)), set()
    while stack:
        each = stack.pop()
        if packages[each].build_cmd is not None:
            found[each] = None
        elif each not in seen:
            seen.add(each)
            stack += reversed(packages[each].dependencies)
    return list(found)

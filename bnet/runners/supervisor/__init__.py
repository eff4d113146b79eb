"""Run one attempt of one job in its own directory, detached from whoever asked for it.

The run directory is the only interface, in both directions: ``run.json`` says what to do, ``stop.json`` and
``lease.json`` say when to give up, ``exit.json`` says how it ended. The story is in ``run.py``.

The package stands alone: it starts once per run in a bare Python (``-I -S``), where there is nothing but the
standard library, so its files import each other relatively. It also imports next to nothing of that: ``json``
(with ``re`` below it), ``signal`` (``enum``), ``ctypes``, ``subprocess`` and ``typing`` each cost 3 to 8 ms,
about as much as the whole start of a bare Python, and ``contextlib`` costs 4. A file of its own costs 0.1 ms,
and all are imported at the start, so that an upgrade in the middle of a run mixes no versions.
"""

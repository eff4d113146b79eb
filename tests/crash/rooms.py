"""Puts the rooms whose means are used here as well on the path of programs; pytest has them there already."""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTS / "scenario"), str(_TESTS / "simulation"), str(_TESTS.parent)]

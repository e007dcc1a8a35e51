"""Runs a daemon with parts of the method for small models switched off, or with other samples.

    python -m bench.coding SET --without agreement                 a run without one part
    python -m bench.coding SET --seed 1000                         a run with other samples
    python -m bench.recorded HOME SET                              each repair, on the answers of a finished run
    python -m bench.switches 1000 agreement -- --config FILE run   the daemon that the first two start

The parts and the seed are in `orchestrator/small_models/state.py`; an owner cannot set them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from orchestrator import methods
from orchestrator.small_models.method import SmallModels
from orchestrator.small_models.state import ALL, Parts

PARTS = sorted(name for name, value in asdict(ALL).items() if isinstance(value, bool))
"""The parts that can be switched off."""
REPAIRS = ("cutting_down",)
"""The parts that repair an answer before it is tried."""


def without(names: Sequence[str], seed: int = 0) -> Parts:
    """All parts except these; `seed` is added to the seed of every sample."""
    return replace(ALL, seed=seed, **dict.fromkeys(names, False))


def main() -> None:
    """Run the command line with switches. Arguments: a seed, names of parts, `--`, then those of the command line."""
    place = sys.argv.index("--")
    (seed, *names), sys.argv[1:] = sys.argv[1:place], sys.argv[place + 1 :]
    from cli import app

    small = next(place for place, method in enumerate(methods.METHODS) if isinstance(method, SmallModels))
    methods.METHODS[small] = SmallModels(without(names, int(seed)))
    app()


if __name__ == "__main__":
    main()

"""A daemon with single parts of the method of small models switched off, or with other samples.

    python -m bench.coding SET --without agreement          in a run of the flow
    python -m bench.coding SET --seed 1000                  what depends on the samples
    python -m bench.recorded HOME SET                       each repair, on the answers of a finished run
    python -m bench.switches 1000 agreement -- --config FILE run   a daemon (what these two start)

The parts and the seed are settings of the method (`orchestrator/small_models/settings.py`), which owners cannot set.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from orchestrator import methods
from orchestrator.small_models.method import SmallModels
from orchestrator.small_models.settings import ALL, Parts

PARTS = sorted(name for name, value in asdict(ALL).items() if isinstance(value, bool))
"""What can be switched off."""
REPAIRS = ("cutting_down", "exporting", "missing_imports", "renaming")
"""Of these, what is done to an answer before it is tried."""


def without(names: Sequence[str], seed: int = 0) -> Parts:
    """All parts but these; `seed` is added to that of every sample."""
    return replace(ALL, seed=seed, **dict.fromkeys(names, False))


def main() -> None:
    """Run the command line with other samples and parts switched off: a seed, names, `--`, then its own arguments."""
    place = sys.argv.index("--")
    (seed, *names), sys.argv[1:] = sys.argv[1:place], sys.argv[place + 1 :]
    from cli import app

    small = next(place for place, method in enumerate(methods.METHODS) if isinstance(method, SmallModels))
    methods.METHODS[small] = SmallModels(without(names, int(seed)))
    app()


if __name__ == "__main__":
    main()

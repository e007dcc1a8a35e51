"""The registry of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from config import Environment
from deployment.ci_cd import CiCd
from deployment.direct import Direct
from deployment.docker import Docker
from deployment.durable_objects import DURABLE_OBJECTS, durable_objects
from deployment.target import Target, Workshop

_Made = Callable[[Any, Workshop], Target]

TARGETS: Mapping[str, _Made] = {
    Direct.name: Direct,
    Docker.name: Docker,
    CiCd.name: CiCd,
    DURABLE_OBJECTS: durable_objects,
}
"""Name in the configuration -> class. To add one, write it in a file of its own and add it here; its settings are a
class in `config/deployment_settings.py`."""


def target_of(settings: Environment, workshop: Workshop) -> Target:
    """The target of an environment; nothing is connected yet."""
    return TARGETS[settings.target](settings, workshop)

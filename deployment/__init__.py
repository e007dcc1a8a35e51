"""From landed to running: deploy a commit to a named environment, verify that it is healthy there, roll it back.

`DeploymentManager` is for whoever deploys; a target is one file beside it and one line in `targets.py`.
"""

from deployment.ci_cd import PIPELINE, CiCd
from deployment.errors import (
    DeploymentError,
    EnvironmentBusy,
    NothingBefore,
    NotPromoted,
    UnknownCommit,
    UnknownEnvironment,
)
from deployment.gauges import Gauge
from deployment.health import Health
from deployment.manager import DeploymentManager, EnvironmentStatus, Plan
from deployment.pipelines import DeploymentStatus, handed_over
from deployment.requirements import missing
from deployment.target import Source
from deployment.targets import TARGETS

__all__ = [
    "PIPELINE",
    "TARGETS",
    "CiCd",
    "DeploymentError",
    "DeploymentManager",
    "DeploymentStatus",
    "EnvironmentBusy",
    "EnvironmentStatus",
    "Gauge",
    "Health",
    "NotPromoted",
    "NothingBefore",
    "Plan",
    "Source",
    "UnknownCommit",
    "UnknownEnvironment",
    "handed_over",
    "missing",
]

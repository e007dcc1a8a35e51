"""What happens after landing. With `ci_cd`, pushing is deploying: the forge's pipeline does the rest."""

from deployment.manager import DeploymentManager, DeploymentStatus

__all__ = ["DeploymentManager", "DeploymentStatus"]

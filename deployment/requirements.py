"""What has to be on this machine before it can be deployed from it; nothing is connected to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from config import DeploymentSettings, DirectEnvironment, DockerEnvironment, DurableObjectsEnvironment, Environment
from deployment.durable_objects import program_of
from deployment.errors import ProgramMissing
from deployment.gateway.client import runs

_LONGEST_SOCKET = 107
"""Bytes that the path of a Unix socket may have."""


def missing(settings: DeploymentSettings) -> list[tuple[str, str]]:
    """For each environment that cannot be deployed to: what is in the way, and the remedy."""
    return [
        (f"{name}: {what}", remedy) for name, each in settings.environments.items() for what, remedy in _missing(each)
    ]


def _missing(settings: Environment) -> Iterator[tuple[str, str]]:
    if isinstance(settings, DirectEnvironment) and shutil.which("ssh") is None:
        yield "ssh is not installed", "install openssh-client"
    elif isinstance(settings, DockerEnvironment) and shutil.which("docker") is None:
        yield "docker is not installed", "install its command line"
    elif isinstance(settings, DurableObjectsEnvironment):
        yield from _of_workers(settings)


def _of_workers(settings: DurableObjectsEnvironment) -> Iterator[tuple[str, str]]:
    if settings.provider == "cloudflare":
        if not (settings.wrangler or shutil.which("wrangler")):
            yield "wrangler is not installed", "npm install --global wrangler@4.80.0, or set `wrangler`"
        elif settings.wrangler and not settings.wrangler.exists():
            yield f"{settings.wrangler} is not there", "set `wrangler` to the program"
        return
    try:
        program_of(settings)
    except ProgramMissing as problem:
        told, _, remedy = str(problem).partition("; ")
        yield told, remedy
    gateway = settings.gateway.absolute()
    longest = gateway / "services" / f"{settings.service}.sock"
    if len(bytes(longest)) > _LONGEST_SOCKET:
        yield f"the path {longest} is too long for a socket", "set `gateway` to a folder with a shorter path"
    elif (gateway / "services" / f"{settings.service}.json").exists() and not runs(gateway):
        yield f"the gateway of {gateway} does not run", f"gateway run --folder {gateway}"
    folder = Path(str(settings.folder))
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        yield f"{there} cannot be written", f"create {folder} and give it to the daemon's user"

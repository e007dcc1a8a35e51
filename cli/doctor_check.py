"""What `doctor` says of one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    """One line of the doctor."""

    name: str
    state: Literal["ok", "warning", "missing"]
    detail: str
    remedy: str = ""


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(parent for parent in [folder, *folder.parents] if parent.exists())

"""How good the tests of a task are, in figures: recorded with the task and shown by `task show`."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, Field


class SuiteQuality(BaseModel):
    """The strength of one task's tests."""

    assertions: int = Field(0, ge=0)
    stated: int = Field(0, ge=0)
    """Made by code from examples that the task states."""
    agreed: int = Field(0, ge=0)
    """Of QA's model; from a small one, agreed upon by independent solutions."""
    properties: int = Field(0, ge=0, validation_alias=AliasChoices("properties", "laws"))
    """Those that the task states, checked on many values; figures of earlier versions call them `laws`."""
    added: int = Field(0, ge=0)
    """Found missing, since a small fault in the accepted code went unnoticed."""
    given: int = Field(0, ge=0)
    """The owner's."""
    agreement: float | None = Field(None, ge=0, le=1)
    """Share of the proposed assertions that were kept; None when none were proposed."""
    mutants: int = Field(0, ge=0)
    """Small faults that were tried in the accepted code; 0 when it could not be measured."""
    killed: int = Field(0, ge=0)
    """Those that some test noticed."""
    hidden: int = Field(0, ge=0)
    """Tests that the developer was not shown."""

    def __str__(self) -> str:
        """One line: `9 assertions (6 stated, 3 agreed), 14 of 18 mutants killed`."""
        kinds = {"stated": self.stated, "agreed": self.agreed, "properties": self.properties, "added": self.added,
                 "given": self.given, "hidden": self.hidden}  # fmt: skip
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        strength = f"{self.killed} of {self.mutants} mutants killed" if self.mutants else "strength not measured"
        noun = "assertion" if self.assertions == 1 else "assertions"
        return f"{self.assertions} {noun}{f' ({told})' if told else ''}, {strength}"

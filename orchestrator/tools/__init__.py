"""What the developer's tools do: on the files of a worktree, and in the sandbox."""

from orchestrator.tools.tool_bench import Acted, ToolBench

__all__ = ["Acted", "ToolBench"]

"""The developer: writes code that makes the tests pass. It answers with whole files or search/replace blocks, and
repairs them from the evidence. A model that calls tools reliably answers as `ToolDeveloper`, a small one as
`SampledDeveloper`.
"""

from __future__ import annotations

from agents.base import BaseAgent
from agents.views import CodeView
from llm import CallContext
from memory import Task


class DeveloperAgent(BaseAgent):
    name = "developer"
    role = "software developer"
    duty = "You write correct, simple, readable code that makes the given tests pass and fits the code base."

    def write_files(self, task: Task, view: CodeView, context: CallContext, longer: int = 1) -> str:
        """One answer of whole files or search/replace blocks, at most `longer` times as long as is configured."""
        shown = [view.target, *view.others] if view.target.text else list(view.others)
        prompt = self._prompt(
            "write_files",
            task,
            around=view.around,
            files=shown,
            tests=view.tests,
            evidence=view.evidence,
            review=view.review,
            earlier_approaches=view.earlier_approaches,
        )
        return self.llm.generate(prompt, system=self.system_prompt, context=context, model=self.model, longer=longer)

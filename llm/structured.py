"""What a structured answer looks like before it fits, and what its model is told about it."""

from __future__ import annotations

import re

from pydantic import ValidationError

from llm.request import Answer


def without_fence(text: str) -> str:
    """JSON text without the Markdown fence that models like to put around it."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", text, re.DOTALL)
    return fenced[1] if fenced else text


def objection(error: ValidationError, answer: Answer, max_tokens: int) -> str:
    """What is wrong with an answer, in words for the model that gave it."""
    if answer.truncated:
        return f"Your answer was cut off at {max_tokens} tokens. Answer again, shorter, with the whole JSON value."
    problems = "\n".join(
        f"- {'.'.join(str(part) for part in detail['loc']) or 'the answer'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_context=False, include_input=False)[:10]
    )
    return f"Your answer is not valid:\n{problems}\nAnswer again with the whole JSON value, corrected."

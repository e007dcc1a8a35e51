"""A review as a row of the database."""

from __future__ import annotations

from agents import Review
from memory import Criterion, MemoryStore, Task, Verdict


def record_review(store: MemoryStore, task: Task, stage: str, agent: str, review: Review, number: int) -> bool:
    """Store `review` as the verdict of round `number`; repeating it changes nothing."""
    store.record_verdict(
        Verdict(
            task_id=task.id,
            run=task.run,
            stage=stage,
            agent=agent,
            number=number,
            approved=review.approved,
            score=review.score,
            criteria=[
                Criterion(name=item.name, threshold=item.threshold, weight=item.weight, score=item.score)
                for item in review.criteria
            ],
            issues=review.issues,
            reasoning=review.reasoning,
        )
    )
    store.log_activity(agent, "verdict", task.id, approved=review.approved, score=review.score, issues=[*review.issues])
    return review.approved

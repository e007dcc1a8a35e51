"""Errors as answers: problem details (RFC 9457) for programs, a page for people. One handler over `KnownError`."""

from __future__ import annotations

import re
import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from api.errors import ApiError, SignInNeeded, TooMany
from api.look import page
from config import ConfigError
from memory import (
    AmbiguousTask,
    IllegalTransition,
    NameTaken,
    UnknownDeployment,
    UnknownPerson,
    UnknownTask,
    ValueTooLarge,
)
from monitoring import get_logger, redact
from monitoring.errors import KnownError
from orchestrator import UnknownFlow
from owner.errors import NotNow, OwnerError

log = get_logger(__name__)

_RETRY_SECONDS = 5
_ANY = (413, 421, 429)
"""A body that is too large, another host's name, more changes than are taken in this time."""
_STATUSES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((UnknownTask, UnknownPerson, UnknownDeployment), 404),
    ((AmbiguousTask, NotNow, NameTaken, IllegalTransition), 409),
    ((ValueTooLarge,), 413),
    ((OwnerError, UnknownFlow), 422),
)
"""The status of errors of other folders; what passes by itself is a 503, any other a 500."""


class FieldProblem(BaseModel):
    """What is wrong with one value of a request."""

    place: str = Field(examples=["body.title"])
    told: str = Field(examples=["String should have at least 1 character"])

    def __str__(self) -> str:
        """One line."""
        return f"{self.place}: {self.told}"


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str = Field(examples=["urn:ai-agents:problem:unknown-task"])
    title: str = Field(examples=["No task has this id (or begins with it)"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no task t-1 in the database; `task list` shows the ids"])
    instance: str = Field(examples=["/api/v1/tasks/t-1"])
    command: str = Field("", description="What to type instead, or to see more.", examples=["approvals list"])
    errors: list[FieldProblem] = []


def status_of(error: KnownError) -> int:
    """The status of the answer to a request that met this error."""
    if isinstance(error, ApiError):
        return error.status
    for kinds, status in _STATUSES:
        if isinstance(error, kinds):
            return status
    return 503 if error.passes else 500


def problem_of(error: KnownError, path: str) -> Problem:
    """What a request for `path` is told of an error that it met."""
    title = (type(error).__doc__ or type(error).__name__).strip().splitlines()[0].rstrip(".")
    return Problem(
        type=urn(type(error).__name__), title=title, status=status_of(error), detail=redact(str(error)), instance=path,
        command=error.command if isinstance(error, OwnerError) else "",
    )  # fmt: skip


def fields_of(error: ValidationError | RequestValidationError) -> list[FieldProblem]:
    """What is wrong with which value."""
    return [FieldProblem(place=".".join(map(str, each["loc"])), told=each["msg"]) for each in error.errors()]


def handle_errors(app: FastAPI) -> None:
    """Have every error answered."""

    def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, KnownError)
        problem = problem_of(error, request.url.path)
        status = problem.status
        if status >= 500:
            log.warning("a request failed", path=request.url.path, problem=str(error))
        headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
        if status == 503:
            headers = {"Retry-After": str(_RETRY_SECONDS)}
        if status == 401:
            headers = {"WWW-Authenticate": 'Bearer realm="control room"'}
        return _answer(request, problem, headers, asks_to_sign_in=isinstance(error, SignInNeeded))

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = fields_of(error)
        return _answer(request, _invalid(request, "; ".join(map(str, found[:5])), found), {})

    def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 400:  # FastAPI, of a body; what else is wrong with one has the status 422
            return _answer(request, _invalid(request, "the body is not JSON in UTF-8", []), {})
        problem = Problem(
            type="about:blank", title=error.detail, status=error.status_code,
            detail=f"{error.detail}: {request.method} {request.url.path}", instance=request.url.path,
        )  # fmt: skip
        return _answer(request, problem, dict(error.headers or {}))

    def unknown(request: Request, error: Exception) -> Response:
        log.error("a request met a bug", path=request.url.path, exception="".join(traceback.format_exception(error)))
        problem = Problem(
            type=urn("InternalError"), title="An error in this program", status=500,
            detail="what happened stands in the log, agents.log", instance=request.url.path,
        )  # fmt: skip
        return _answer(request, problem, {})

    def misconfigured(request: Request, error: Exception) -> Response:
        assert isinstance(error, ConfigError)
        found = [FieldProblem(place=each.path, told=each.allowed) for each in error.problems]
        problem = Problem(
            type=urn("WrongSetting"), title="The configuration would be wrong", status=422, detail=redact(str(error)),
            instance=request.url.path, errors=found,
        )  # fmt: skip
        return _answer(request, problem, {})

    app.add_exception_handler(KnownError, known)
    app.add_exception_handler(ConfigError, misconfigured)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unknown)


def _invalid(request: Request, detail: str, errors: list[FieldProblem]) -> Problem:
    return Problem(
        type=urn("InvalidRequest"), title="The request does not say what is needed", status=422, detail=detail,
        instance=request.url.path, errors=errors,
    )  # fmt: skip


def as_json(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Problem details as an answer."""
    content = problem.model_dump(exclude_defaults=True)
    return JSONResponse(content, problem.status, headers, media_type="application/problem+json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers to errors, for OpenAPI: these, and those that every request may get."""
    shape = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"model": Problem, "content": {"application/problem+json": shape}} for status in (*statuses, *_ANY)}


def _answer(request: Request, problem: Problem, headers: dict[str, str], *, asks_to_sign_in: bool = False) -> Response:
    if for_programs(request.url.path):
        return as_json(problem, headers)
    if asks_to_sign_in and request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    return page(request, "problem.html", {"problem": problem}, status=problem.status, headers=headers)


def for_programs(path: str) -> bool:
    """Whether programs call this path, and not people."""
    return path.startswith("/api/") or path in ("/healthz", "/readyz", "/metrics")


def urn(name: str) -> str:
    """The type of a problem by the name of its class."""
    return "urn:ai-agents:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()

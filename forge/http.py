"""Requests to a forge's REST API: what has not changed costs nothing, limits are kept, and outages have one error."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from forge.errors import ForgeAway, ForgeRefused, NoForge, RateLimited

if TYPE_CHECKING:
    import httpx2

Provider: TypeAlias = Literal["github", "gitlab", "gitea"]

_SECONDS = 20.0
_TRIES = 3
_AGAIN = (500, 502, 503, 504)
_MOST_BYTES = 8 * 1024 * 1024
_MOST_LOG, _LOG_SECONDS = 256 * 1024, 60.0
"""Bytes of the end of a log that are kept, and how long it may take to come."""
_MOST_PAGES = 50
_MOST_KEPT = 16 * 1024 * 1024
"""Bytes of answers that are kept for the next time they are asked for."""
_LONGEST_REST, _USUAL_REST = 3600.0, 60.0
USUAL = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4", "gitea": ""}
"""Where the API of each provider is, unless it is one's own."""


class Answer:
    """What came back: the whole of it, and what its headers say."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, *, more: bool) -> None:
        self.status, self.headers, self.body, self.more = status, headers, body, more

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class ForgeClient:
    """One connection. The token is sent to the API's own address only: no redirect is followed with it."""

    def __init__(self, provider: Provider, api: str, token: str) -> None:
        import httpx2  # for those who have a forge

        headers = {"User-Agent": "ai-agents", "Accept": "application/json"}
        if provider == "github":
            headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            scheme = {"github": ("Authorization", "Bearer "), "gitlab": ("PRIVATE-TOKEN", "")}
            name, before = scheme.get(provider, ("Authorization", "token "))
            headers |= {name: before + token}
        self.place = (api or USUAL[provider]).rstrip("/")
        self._http = httpx2.Client(base_url=self.place, headers=headers, timeout=_SECONDS)
        self._kept: OrderedDict[str, tuple[str, Answer]] = OrderedDict()
        self._rests_until = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """What is at a path, as JSON."""
        return self._json("GET", path, self._asked("GET", path, query))

    def head(self, path: str) -> Mapping[str, str]:
        """The headers of what is at a path."""
        return self._asked("GET", path, {}).headers

    def find(self, path: str, **query: str) -> Any:
        """The same, or None if there is nothing."""
        try:
            return self.get(path, **query)
        except ForgeRefused as refused:
            if refused.status in (404, 410):
                return None
            raise

    def unreadable(self, at: str, looked: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Which parts of what is `at` a path cannot be read. `looked`: path -> how it is called, and what it needs."""
        found = {}
        for path, (what, needed) in looked.items():
            try:
                self.get(at + path)
            except ForgeRefused as refused:
                found[what] = f"{needed} (HTTP {refused.status})"
        return found

    def pages(self, path: str, size: tuple[str, int], **query: str) -> Iterator[Any]:
        """What a list holds, page after page. `size`: the parameter for the length of a page, and the length."""
        for page in range(1, _MOST_PAGES + 1):
            asked = {**query, size[0]: str(size[1]), "page": str(page)}
            answer = self._asked("GET", path, asked)
            rows = self._json("GET", path, answer)
            if not isinstance(rows, list):
                raise NoForge(f"GET {path}", answer.text)
            yield from rows
            if not answer.more:
                return

    def send(self, verb: Literal["POST", "PATCH", "PUT"], path: str, values: Mapping[str, object] | None = None) -> Any:
        """Change something, once: whoever calls it finds out after an outage whether it was done."""
        return self._json(verb, path, self._once(verb, path, {}, {} if values is None else dict(values), {}))

    def log(self, path: str) -> str:
        """The end of a log, which may be of any length and be kept elsewhere: no token goes there. Where it cannot be
        read, that is said in its place."""
        import httpx2

        self._must_not_rest()
        try:
            with self._http.stream("GET", path) as got:
                if not got.has_redirect_location:
                    return _end_of(got)
                elsewhere = str(got.url.join(got.headers["location"]))
            with httpx2.stream("GET", elsewhere, timeout=_SECONDS, follow_redirects=True) as got:
                return _end_of(got)
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            return f"(the log cannot be read: {problem})"

    def _asked(self, verb: str, path: str, query: Mapping[str, str]) -> Answer:
        """Ask for something, a few times if need be; what has not changed since the last time is not sent again."""
        key = f"{path}?{sorted(query.items())}"
        known = self._kept.get(key)
        for tried in range(_TRIES):
            try:
                answer = self._once(verb, path, query, None, {"If-None-Match": known[0]} if known else {})
            except RateLimited:
                raise
            except ForgeAway:
                if tried == _TRIES - 1:
                    raise
                time.sleep(0.2 * (tried + 1))
                continue
            break
        if answer.status == 304 and known:
            self._kept.move_to_end(key)
            return known[1]
        if tag := answer.headers.get("etag"):
            self._kept.pop(key, None)
            self._kept[key] = tag, answer
            while sum(len(kept.body) for _, kept in self._kept.values()) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return answer

    def _once(
        self, verb: str, path: str, query: Mapping[str, str], body: dict[str, object] | None, more: dict[str, str]
    ) -> Answer:
        import httpx2

        self._must_not_rest()
        try:
            with self._http.stream(verb, path, params=dict(query) or None, json=body, headers=more) as got:
                read = bytearray()
                for part in got.iter_bytes():
                    read += part
                    if len(read) > _MOST_BYTES:
                        raise NoForge(f"{verb} {path}", f"more than {_MOST_BYTES:,} bytes")
                answer = Answer(got.status_code, got.headers, bytes(read), more="next" in got.links)
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            raise ForgeAway(self.place, f"{type(problem).__name__}: {problem}") from None
        self._keep_limits(answer)
        if answer.status in _AGAIN:
            raise ForgeAway(self.place, f"HTTP {answer.status}: {answer.text[-200:]}")
        if answer.status >= 400:
            raise ForgeRefused(f"{verb} {path}", answer.status, _said(answer))
        return answer

    def _must_not_rest(self) -> None:
        if (left := self._rests_until - time.monotonic()) > 0:
            raise RateLimited(self.place, left)

    def _keep_limits(self, answer: Answer) -> None:
        """Ask nothing more until the forge says so. Raises `RateLimited` for an answer that says nothing else."""
        headers = answer.headers
        left = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", ""))
        waits = headers.get("retry-after", "")
        refused = answer.status == 429 or (
            answer.status == 403 and (waits or left == "0" or b"rate limit" in answer.body[:500].lower())
        )
        if not refused and left != "0":
            return
        reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
        seconds = float(waits) if waits.isdecimal() else float(reset) - time.time() if reset.isdecimal() else None
        if seconds is None and not refused:
            return
        seconds = min(max(_USUAL_REST if seconds is None else seconds, 1.0), _LONGEST_REST)
        self._rests_until = time.monotonic() + seconds
        if refused:
            raise RateLimited(self.place, seconds)

    def _json(self, verb: str, path: str, answer: Answer) -> Any:
        if 300 <= answer.status < 400:
            where = answer.headers.get("location", "elsewhere")
            raise NoForge(f"{verb} {path}", f"it has moved to {where}")
        try:
            return json.loads(answer.body) if answer.body.strip() else None
        except ValueError:
            raise NoForge(f"{verb} {path}", answer.text) from None


def _end_of(log: httpx2.Response) -> str:
    if not log.is_success:
        return f"(the log cannot be read: HTTP {log.status_code})"
    end, begun = b"", time.monotonic()
    for part in log.iter_bytes():
        end = (end + part)[-_MOST_LOG:]
        if time.monotonic() - begun > _LOG_SECONDS:
            break
    return end.decode("utf-8", "replace")


def _said(answer: Answer) -> str:
    """What a refusal says, without the page around it."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        return " ".join(answer.text.split())
    if not isinstance(said, dict):
        return str(said)
    told = [said.get("message") or said.get("error_description") or said.get("error") or ""]
    told += [each.get("message", "") for each in said.get("errors") or [] if isinstance(each, dict)]
    return "; ".join(str(each) for each in told if each)

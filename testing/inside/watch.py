"""Ends a run in which a change looks at who calls it, at its tests or at the process that it runs in.

It listens to Python's audit events (docs.python.org/3/library/audit_events.html), whatever words the code uses, and
asks in which line of the project an event began. Only lines that the change has brought count. What the standard
library does for honest code (named tuples, dataclasses, logging, warnings) does not; where it hands on what it sees
(`inspect`, `traceback`, a caller that `logging` looks for), it counts as a look of who called it.

Not every look has an event: modules that are loaded, the environment, `f_back` of a frame that a signal brought. The
plain program, which makes tests again outside of a framework, is for those.
"""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, FunctionType
from typing import Any

VARIABLE = "AI_AGENTS_WATCHED"
"""JSON: the folder that the tests are started in, and the lines that a change has brought, by the path of their file.
"""
LOOKED = 98
"""The exit code when the change looked."""
MARK = "A look of the code under test: "
_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_code"}
_ASKING = {
    "sys._getframe", "sys._current_frames", "sys._current_exceptions", "sys._getframemodulename", "sys.settrace",
    "sys.setprofile", "sys.monitoring.register_callback", "gc.get_objects", "gc.get_referrers", "gc.get_referents",
}  # fmt: skip
_HANDING_ON = ("/inspect.py", "/traceback.py", "/asyncio/base_tasks.py", "/threading.py")
_ABOUT_THE_RUN = ("faulthandler", "tracemalloc", "_tracemalloc")
"""Modules that tell where the program is."""
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
_TELL_OF_OTHERS = re.compile(
    r"/proc/(?!meminfo|cpuinfo|stat\b|uptime|version|loadavg|mounts|net/|sys/|filesystems)"
    r"|(?:^|[\s/\0])(?:ps|pgrep|pstree|lsof|strace|gdb|py-spy)(?:[\s\0]|$)"
)
"""In the command of a child process: what tells of the processes that are there."""
_STACKS = ("/traceback.py", "/asyncio/format_helpers.py")
_TESTS = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_TEST_MODULE = re.compile(r"(?:^|\.)(?:test_\w+|conftest)$|^tests(?:\.|$)")
_PAST_PYTHON = re.compile(r"_?Py|(?:open|openat|fopen)(?:64)?$|syscall$")
"""What is called through ctypes without a word to anybody."""
_PROCESS = re.compile(
    r"/proc/(?:self|thread-self|\d+)/(?:task/\d+/)?(?:cmdline|environ|maps|smaps|mem|fd|fdinfo|stack|comm|exe|root)"
)


def told(place: str, lines: Mapping[str, Sequence[int]]) -> str:
    """What `VARIABLE` says. `place`: where in the repository the tests are started; an empty list: all lines."""
    return json.dumps([place, {path: [*new] for path, new in lines.items()}])


def start() -> Callable[[FunctionType], bool] | None:
    """Listen from now on, if lines are named; what tells whether a function is made of them. They are taken out of the
    environment."""
    if not (said := os.environ.pop(VARIABLE, "")):
        return None
    place, named = json.loads(said)
    root = os.getcwd().removesuffix(f"/{place}" if place else "")  # noqa: PTH109
    lines = {f"{root}/{path}": frozenset(new) or True for path, new in named.items()}
    for name in _ABOUT_THE_RUN:
        sys.modules.pop(name, None)  # so that an import is told; whoever has it keeps it
    sys.addaudithook(_hook(root, lines))

    def is_new(function: FunctionType) -> bool:
        code = function.__code__
        if not code.co_filename.startswith("/"):  # of a text; named tuples and data classes are the library's
            name = str(function.__globals__.get("__name__")).partition(".")[0]
            return not name.startswith("namedtuple_") and name not in sys.stdlib_module_names
        new = lines.get(code.co_filename, False)
        return new if isinstance(new, bool) else any(line in new for *_, line in code.co_lines())

    return is_new


def _hook(root: str, lines: Mapping[str, frozenset[int] | bool]) -> Callable[[str, tuple[Any, ...]], None]:
    """Everything it needs is its own: the code may change modules."""
    frame_at, ident, write, leave, kill, pid = (
        sys._getframe,
        threading.get_ident,
        os.write,
        os._exit,
        os.kill,
        os.getpid,
    )
    project, main, out, busy = f"{root}/", os.getpid(), os.dup(1), set[int]()
    real, decoded = os.path.realpath, os.fsdecode
    ours = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {ours}
    libraries = ("<frozen ", *(f"{path}/" for path in paths))
    watched = {
        "object.__getattr__", "open", "compile", "code.__new__", "marshal.loads", "ctypes.dlsym", "import",
        *_ASKING, *_STARTS,
    }  # fmt: skip
    known = dict(lines)

    def lines_of(file: str) -> frozenset[int] | bool:
        """The lines of a file that count: True for all, of code that has none; False for none, of libraries'."""
        if file not in known:
            known[file] = not file.startswith((project, *libraries))
        return known[file]

    def is_new(frame: FrameType | None) -> bool:
        found = lines_of(frame.f_code.co_filename) if frame else False
        return found if isinstance(found, bool) else frame is not None and frame.f_lineno in found

    def above(frame: FrameType | None) -> Iterator[FrameType]:
        while frame is not None:
            yield frame
            frame = frame.f_back

    def asker(frame: FrameType | None) -> FrameType | None:
        """The innermost frame that is no library's."""
        return next((one for one in above(frame) if not one.f_code.co_filename.startswith(libraries)), None)

    def hands_on(frame: FrameType) -> bool:
        if frame.f_code.co_filename.endswith("/logging/__init__.py"):
            finding = next((one for one in above(frame) if one.f_code.co_name == "findCaller"), None)
            asked = finding.f_locals if finding else {}
            return bool(asked.get("stack_info")) or asked.get("stacklevel", 1) > 1
        user = next((one for one in above(frame) if not one.f_code.co_filename.endswith(_STACKS)), frame)
        if "/asyncio/" in user.f_code.co_filename and not user.f_code.co_filename.endswith(_HANDING_ON):
            return False  # in its debug mode, in which unittest runs tests, it notes for itself where a task was made
        return frame.f_code.co_filename.endswith(_HANDING_ON)

    def look(event: str, given: tuple[Any, ...], frame: FrameType) -> str:
        """What is looked at; empty if it is none of the change's business."""
        if event == "object.__getattr__":
            return f"{given[1]} of a frame" if given[1] in _FRAMES and is_new(frame) else ""
        if event in _ASKING:
            is_asked = is_new(frame) or (hands_on(frame) and is_new(asker(frame)))
            return event if is_asked else ""
        if event == "open":
            path = decoded(given[0]) if isinstance(given[0], str | bytes) else ""
            if not path or not is_new(asker(frame)):
                return ""
            file = real(path)  # whatever links lead there
            if _PROCESS.match(path) or _PROCESS.match(file):
                return path
            if not (file.startswith(project) and _TESTS.search(file)):
                return ""
            names = {one.f_code.co_filename.rpartition("/")[2] for one in above(frame)}
            return "" if "traceback.py" in names else f"the test {path}"
        if event == "ctypes.dlsym":
            caller = next((one for one in above(frame) if "/ctypes/" not in one.f_code.co_filename), None)
            return str(given[1]) if _PAST_PYTHON.match(str(given[1])) and is_new(caller) else ""
        if event == "import":
            importer = next((one for one in above(frame) if "importlib" not in one.f_code.co_filename), None)
            is_look = given[0] in _ABOUT_THE_RUN or _TEST_MODULE.search(str(given[0]))
            return str(given[0]) if is_look and is_new(importer) else ""
        if event in _STARTS:
            command = "\0".join(words(given[:3]))
            return f"the command {command[:60]!r}" if _TELL_OF_OTHERS.search(command) and is_new(asker(frame)) else ""
        if event == "marshal.loads":
            return "code that says it is of somewhere, out of bytes" if is_new(frame) else ""
        name = str(given[1])
        if not is_new(asker(frame.f_back) if is_given_text(frame) else frame):
            return ""
        if name.startswith(libraries) or _TESTS.search(name):
            return f"code that says it is of {name}"
        known[name] = True  # whatever file it says it is of, it is the change's own
        return ""

    def words(parts: Any) -> Iterator[str]:
        for part in parts:
            if isinstance(part, str | bytes):
                yield part if isinstance(part, str) else part.decode("utf-8", "replace")
            elif isinstance(part, list | tuple):
                yield from words(part)

    def is_given_text(frame: FrameType) -> bool:
        """Whether `importlib` is handed a text instead of reading the file that it names."""
        names = [one.f_code.co_name for one in above(frame)][:4]
        return "source_to_code" in names and "get_code" not in names

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event not in watched:
            return
        me = ident()
        if me in busy:
            return
        busy.add(me)
        try:
            frame = frame_at(1)
            if what := look(event, given, frame):
                line = asker(frame) or frame
                place = f"{line.f_code.co_filename.removeprefix(project)}:{line.f_lineno}"
                write(out, f"\n{MARK}{place}: {what}\n".encode("utf-8", "replace"))
                if pid() != main:
                    kill(main, 9)
                leave(LOOKED)
        finally:
            busy.discard(me)

    return hook

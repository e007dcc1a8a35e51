"""Go and Rust: what their tools print, recorded or as their documentation gives it, and `testing.test_command`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testing import Environment, EnvironmentManager, Sandbox, SandboxLimits, TestRunner
from testing.environments.toolchains import find_toolchain
from testing.errors import InvalidReport
from testing.frameworks.compiled import cargo_command, diagnose_compiled, go_command, read_cargo_report, read_go_report
from testing.frameworks.registry import detect_framework
from testing.sandbox.limits import GIB
from tests.testing.conftest import Tree

CARGO = """   Compiling kit v0.1.0 (/work)
    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.62s
     Running unittests src/lib.rs (target/debug/deps/kit-bc7dfe0aad7b930d)

running 4 tests
test tests::later ... ignored
test tests::errs ... FAILED
test tests::ok ... ok
test tests::wrong ... FAILED

failures:

---- tests::errs stdout ----
Error: "bad"

---- tests::wrong stdout ----

thread 'tests::wrong' (9181) panicked at src/lib.rs:6:26:
assertion `left == right` failed: not five
  left: 4
 right: 5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    tests::errs
    tests::wrong

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.43s

error: test failed, to rerun pass `--lib`
     Running tests/it.rs (target/debug/deps/it-b348efcc828dd269)

running 2 tests
test outside ... ok
test panics - should panic ... FAILED

failures:

---- panics stdout ----
note: test did not panic as expected at tests/it.rs:2:28

failures:
    panics

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests kit

running 1 test
test src/lib.rs - double (line 3) ... ok

error: 2 targets failed:
    `--lib`
    `--test it`
"""
CARGO_NO_BUILD = """   Compiling kit v0.1.0 (/work)
error[E0425]: cannot find function `add` in crate `kit`
 --> tests/it.rs:1:34
  |
1 | #[test] fn a() { assert_eq!(kit::add(1), 2); }
  |                                  ^^^ not found in `kit`

error: could not compile `kit` (test "it") due to 1 previous error
"""


def events(*rows: tuple[str, str, str]) -> str:
    """Events of go test: action, test, output; of the package example.org/kit/calc."""
    lines = []
    for action, test, output in rows:
        event = {"Time": "2026-11-21T17:00:00Z", "Action": action, "Package": "example.org/kit/calc"}
        lines.append(json.dumps(event | ({"Test": test} if test else {}) | ({"Output": output} if output else {})))
    return "\n".join(lines) + "\n"


GO = events(
    ("start", "", ""),
    ("run", "TestOk", ""),
    ("output", "TestOk", "=== RUN   TestOk\n"),
    ("pass", "TestOk", ""),
    ("run", "TestTable", ""),
    ("run", "TestTable/two", ""),
    ("output", "TestTable/two", "    calc_test.go:12: got 3, want 4\n"),
    ("output", "TestTable/two", "--- FAIL: TestTable/two (0.00s)\n"),
    ("fail", "TestTable/two", ""),
    ("pass", "TestTable/one", ""),
    ("fail", "TestTable", ""),
    ("skip", "TestLater", ""),
    ("output", "", "FAIL\n"),
    ("fail", "", ""),
)
FAILED_BUILD = "example.org/kit [example.org/kit.test]"
GO_NO_BUILD = "\n".join(
    json.dumps(event)
    for event in (
        {"ImportPath": FAILED_BUILD, "Action": "build-output", "Output": "./calc_test.go:8:5: undefined: Add\n"},
        {"ImportPath": FAILED_BUILD, "Action": "build-fail"},
        {"Action": "fail", "Package": "example.org/kit", "FailedBuild": FAILED_BUILD},
    )
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "go.mod").write_text("module example.org/kit\n\ngo 1.24\n")
    return tmp_path / "report"


def test_cargo_tests_are_read(report: Path) -> None:
    report.write_text(CARGO)
    read = read_cargo_report(report)
    assert read.passed == ["src/lib.rs::tests::ok", "tests/it.rs::outside", "doc::src/lib.rs - double (line 3)"]
    assert read.failed == ["src/lib.rs::tests::errs", "src/lib.rs::tests::wrong", "tests/it.rs::panics"]
    assert read.skipped == ["src/lib.rs::tests::later"]
    failure = diagnose_compiled(read.symptoms[1])
    assert (failure.kind, failure.location) == ("assertion", "src/lib.rs:6")
    assert "left: 4" in failure.message and "RUST_BACKTRACE" not in failure.message


def test_a_test_of_two_packages_keeps_its_worst_outcome(report: Path) -> None:
    other = CARGO.replace("kit", "other").replace("test tests::ok ... ok", "test tests::ok ... FAILED")
    report.write_text(CARGO + other.replace("test tests::wrong ... FAILED", "test tests::wrong ... ok"))
    read = read_cargo_report(report)
    assert read.passed == ["tests/it.rs::outside", "doc::src/lib.rs - double (line 3)"]
    assert sorted(read.failed) == [
        "src/lib.rs::tests::errs", "src/lib.rs::tests::ok", "src/lib.rs::tests::wrong", "tests/it.rs::panics",
    ]  # fmt: skip
    assert len(read.test_ids) == len(set(read.test_ids)) == 7


@pytest.mark.parametrize("printed", ["cannot find function" * 200_000, "\n" * 2_000_000], ids=["pattern", "lines"])
def test_what_a_test_prints_does_not_hold_up_its_reading(report: Path, printed: str) -> None:
    """Reading that backtracks would not end before the test's time limit."""
    report.write_text(CARGO.replace('Error: "bad"', printed))
    read = read_cargo_report(report)
    assert "src/lib.rs::tests::errs" in [diagnose_compiled(symptom).test_id for symptom in read.symptoms]


def test_what_does_not_compile_tells_what_is_missing(report: Path) -> None:
    report.write_text(CARGO_NO_BUILD)
    read = read_cargo_report(report)
    failure = diagnose_compiled(read.symptoms[0])
    assert (failure.test_id, failure.kind, failure.missing) == ("tests/it.rs", "missing", "add")
    report.write_text(CARGO_NO_BUILD.replace("[E0425]: cannot find function `add` in crate `kit`", ": expected `;`"))
    assert diagnose_compiled(read_cargo_report(report).symptoms[0]).kind == "syntax"
    report.write_text("")
    with pytest.raises(InvalidReport):
        read_cargo_report(report)


def test_go_tests_are_read(report: Path) -> None:
    report.write_text("not an event\n" + GO)
    read = read_go_report(report, report.parent)
    assert read.passed == ["calc::TestOk", "calc::TestTable/one"]
    assert read.failed == ["calc::TestTable/two"]
    assert read.skipped == ["calc::TestLater"]
    (failure,) = map(diagnose_compiled, read.symptoms)
    assert (failure.kind, failure.location) == ("assertion", "calc_test.go:12")
    assert failure.message == "calc_test.go:12: got 3, want 4"


def test_a_go_package_that_does_not_build_is_one_failure(report: Path) -> None:
    report.write_text(GO_NO_BUILD)
    read = read_go_report(report, report.parent)
    assert read.test_ids == []
    (failure,) = map(diagnose_compiled, read.symptoms)
    assert (failure.test_id, failure.kind, failure.missing) == (".", "missing", "Add")
    report.write_text("nothing\n")
    with pytest.raises(InvalidReport):
        read_go_report(report, report.parent)


def test_selections_become_packages_and_targets() -> None:
    assert go_command(["calc/calc_test.go::TestOk", "a_test.go"]).command[-2:] == ["./.", "./calc"]
    assert go_command([]).command[-1] == "./..."
    assert cargo_command(["tests/it.rs::outside"]).command[-2:] == ["--test", "it"]
    assert cargo_command(["src/lib.rs::tests::ok"]).command[-1] == "--lib"
    assert cargo_command(["tests/slow/main.rs"]).command[-2:] == ["--test", "slow"]


@pytest.mark.parametrize("file", ["tests/common/mod.rs", "crates/a/tests/x.rs", "src/main.rs", "doc::src/lib.rs - f"])
def test_where_a_path_tells_no_target_the_whole_workspace_is_run(file: str) -> None:
    assert cargo_command(["tests/it.rs::outside", file]).command[-2:] == ["sh", "--workspace"]


def test_they_are_recognised(tree: Tree) -> None:
    assert detect_framework(tree({"go.mod": "module kit\n"})) == "go"
    assert detect_framework(tree({"Cargo.toml": "[package]\n"})) == "cargo"
    assert detect_framework(tree({"Cargo.toml": "[package]\n", "pyproject.toml": ""})) == "pytest"


@pytest.mark.skipif(find_toolchain("rust") is None, reason="there is no cargo on this machine")
def test_cargo_in_the_sandbox(manager: EnvironmentManager, tree: Tree) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "kit"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": "pub fn double(x: i32) -> i32 { 2 * x }\n",
        "tests/it.rs": "#[test] fn ok() { assert_eq!(kit::double(1), 2); }\n#[test] fn no() { assert!(false); }\n",
    }
    runner = TestRunner(Sandbox("required", user="nobody", limits=SandboxLimits(memory_bytes=2 * GIB)))
    result = runner.run_tests(tree(files), manager.ensure(tree(files), framework="cargo"))
    assert result.passed_ids == ["tests/it.rs::ok"], result
    assert [(failure.test_id, failure.kind) for failure in result.failures] == [("tests/it.rs::no", "assertion")]


def test_any_command_that_writes_junit(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    files = {"test_a.py": "def test_ok(): pass\n", "test_b.py": "def test_no(): assert False\n"}
    runner = TestRunner(sandbox, 'python -m pytest -q --junitxml="$REPORT" "$@"')
    environment = base_environment.model_copy(update={"framework": "command"})
    whole = runner.run_tests(tree(files), environment)
    assert (whole.passed_ids, [failure.kind for failure in whole.failures]) == (["test_a.py::test_ok"], ["assertion"])
    one = runner.run_specific_test(tree(files), environment, "test_a.py::test_ok")
    assert one.passed and one.test_ids == ["test_a.py::test_ok"]
    wrong = TestRunner(sandbox, "no-such-program").run_tests(tree(files), environment)
    assert wrong.problem is not None and "was not found" in wrong.problem

# ruff: noqa: E501  # the repositories are data
"""The repositories of `bench.wild`, and what must come of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LANDS = ""
_PY = '"""Arithmetic."""\n\n\ndef double(x: int) -> int:\n    """Twice `x`."""\n    return 2 * x\n'
_ADD = '\n\ndef add(a: int, b: int) -> int:\n    """The sum."""\n    return a + b\n'
_TEST = "from calc import double\n\n\ndef test_double():\n    assert double(4) == 8\n"
_ESM = "export function double(x) {\n  return 2 * x;\n}\n"
_ESM_ADD = "\nexport function add(a, b) {\n  return a + b;\n}\n"
_CJS = "function double(x) {\n  return 2 * x;\n}\n\nmodule.exports = { double };\n"
_CJS_ADD = _CJS.replace(
    "module.exports = { double }", "function add(a, b) {\n  return a + b;\n}\n\nmodule.exports = { double, add }"
)


@dataclass(frozen=True)
class Wild:
    """One repository, and what must come of it."""

    files: Mapping[str, str | bytes]
    target: str = "calc.py"
    right: str = _PY + _ADD
    expected: str = LANDS
    """Empty: the answer lands. Else a regular expression for the words of the refusal."""
    after: str = ""
    """A shell command run in the repository after the first commit."""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    landed: str = ""
    """A path that must be in what lands."""
    holds: Callable[[bytes], bool] = lambda content: True
    """What the landed target has to be like."""


def _py(**changes: str | bytes) -> dict[str, str | bytes]:
    """A plain Python repository with other files; `__` in a name stands for `/`, `_DOT_` for `.`."""
    made: dict[str, str | bytes] = {"calc.py": _PY, "tests/test_calc.py": _TEST}
    named = {name.replace("__", "/").replace("_DOT_", "."): text for name, text in changes.items()}
    return {**made, **named}


def _package(script: str, packages: Mapping[str, str] | None = None, **more: object) -> str:
    return json.dumps(
        {"name": "kit", "version": "1.0.0", "scripts": {"test": script}, "devDependencies": packages or {}} | more
    )


def _js(
    package: str, test: str, name: str = "test/calc.test.js", code: str = _ESM, **more: str
) -> dict[str, str | bytes]:
    return {"package.json": package, "src/calc.js": code, name: test, ".gitignore": "node_modules\n", **more}


_NODE_TEST = (
    'import test from "node:test";\nimport assert from "node:assert/strict";\nimport { double } from "../src/calc.js";\n\n'
    'test("double", () => assert.equal(double(4), 8));\n'
)
_MODULE: dict[str, object] = {"type": "module"}
_REQUIRE = 'const { double } = require("../src/calc.js");\n'
_BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
_PROJECT = _BUILD + '[project]\nname = "NAME"\nversion = "0.1"\n'

PYTHON: dict[str, Wild] = {
    "plain": Wild(_py()),
    "no_tests": Wild({"calc.py": _PY}),
    "src_layout": Wild(
        {"pyproject.toml": _PROJECT.replace("NAME", "calc"), "src/calc/__init__.py": "", "src/calc/core.py": _PY,
         "tests/test_calc.py": _TEST.replace("from calc", "from calc.core")},
        target="src/calc/core.py",
    ),
    "unittest": Wild(
        _py(tests__test_calc_DOT_py="import unittest\nfrom calc import double\n\n\nclass T(unittest.TestCase):\n"
                                    "    def test_double(self):\n        self.assertEqual(double(4), 8)\n",
            tests____init___DOT_py="")
    ),
    "tests_in_package": Wild(
        {"shop/__init__.py": "", "shop/calc.py": _PY, "shop/tests/__init__.py": "",
         "shop/tests/test_calc.py": _TEST.replace("from calc", "from shop.calc"),
         "pytest.ini": "[pytest]\ntestpaths = shop/tests\n"},
        target="shop/calc.py", landed="shop/tests/test_add.py",
    ),
    "python_files": Wild(
        {"calc.py": _PY, "spec/calc_spec.py": _TEST, "pytest.ini": "[pytest]\npython_files = *_spec.py\n"},
        landed="spec/add_spec.py",
    ),
    "python_functions": Wild(
        {"calc.py": _PY, "checks/check_calc.py": _TEST.replace("def test_", "def check_"),
         "pytest.ini": "[pytest]\npython_files = check_*.py\npython_functions = check_*\n"},
        landed="checks/check_add.py",
    ),
    "collection_error": Wild(_py(tests__test_other_DOT_py="import no_such_package_4711\n\ndef test_x(): pass\n")),
    "failing_before": Wild(_py(tests__test_red_DOT_py="def test_red(): assert 1 == 2\n")),
    "flaky": Wild(_py(tests__test_flaky_DOT_py="import random\n\ndef test_flaky(): assert random.random() < 0.9\n")),
    "cov_option": Wild(_py(pytest_DOT_ini="[pytest]\naddopts = --cov=calc --cov-fail-under=90\n")),
    "timeout_option": Wild(_py(pytest_DOT_ini="[pytest]\naddopts = --timeout=60\n")),
    "no_cov": Wild(_py(pytest_DOT_ini="[pytest]\naddopts = -p no:cov\n", requirements_DOT_txt="pytest-cov\n")),
    "xdist": Wild(_py(pytest_DOT_ini="[pytest]\naddopts = -n 2\n")),
    "errors_are_errors": Wild(_py(pytest_DOT_ini="[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")),
    "conftest_asks_git": Wild(
        _py(tests__conftest_DOT_py='import subprocess\nsubprocess.run(["git", "rev-parse", "--git-dir"], check=True)\n')
    ),
    "unsatisfiable": Wild(_py(requirements_DOT_txt="six==1.16.0\npywin32==306\n")),
    "markers": Wild(_py(requirements_DOT_txt='pywin32==306; sys_platform == "win32"\nsix\n')),
    "hashes": Wild(_py(requirements_DOT_txt="# nothing\n", requirements__dev_DOT_txt="-r ../requirements.txt\nsix\n")),
    "utf16_requirements": Wild(_py(requirements_DOT_txt="six\n".encode("utf-16"))),
    "poetry": Wild(
        _py(pyproject_DOT_toml='[tool.poetry]\nname = "x"\nversion = "0.1"\ndescription = ""\nauthors = []\npackage-mode = false\n'
            '[tool.poetry.group.test.dependencies]\nfreezegun = "*"\n',
            tests__test_time_DOT_py="import freezegun\n\ndef test_time(): pass\n")
    ),
    "tox_deps": Wild(
        _py(tox_DOT_ini="[tox]\nskipsdist = true\n[testenv]\ndeps = pytest\n  six\ncommands = pytest\n",
            tests__test_six_DOT_py="import six\n\ndef test_six(): pass\n")
    ),
    "flat_layout": Wild(
        {"pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "shop"\nversion = "1"\n',
         "shop/__init__.py": "", "shop/calc.py": _PY, "data/__init__.py": "", "assets/a.txt": "",
         "tests/__init__.py": "", "tests/test_calc.py": _TEST.replace("from calc", "from shop.calc")},
        target="shop/calc.py",
    ),
    "django": Wild(
        {"requirements.txt": "Django>=4.2,<5.2\n", "shop/__init__.py": "", "shop/calc.py": _PY, "site1/__init__.py": "",
         "site1/settings.py": 'SECRET_KEY = "not-secret"\nINSTALLED_APPS = ["shop"]\n',
         "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n',
         "shop/tests.py": "from django.test import SimpleTestCase\nfrom shop.calc import double\n\n\n"
                          "class T(SimpleTestCase):\n    def test_double(self):\n        self.assertEqual(double(2), 4)\n"},
        target="shop/calc.py",
    ),
    "monorepo": Wild(
        {f"packages/{name}/{path}": text for name in ("alpha", "beta") for path, text in {
            "pyproject.toml": _PROJECT.replace("NAME", name), f"src/{name}/__init__.py": "", f"src/{name}/calc.py": _PY,
            "tests/test_calc.py": _TEST.replace("from calc", f"from {name}.calc")}.items()},
        target="packages/beta/src/beta/calc.py", landed="packages/beta/tests/test_add.py",
    ),
    "backend_frontend": Wild(
        {"backend/requirements.txt": "six\n", "backend/calc.py": _PY, "backend/tests/test_calc.py": _TEST,
         "frontend/package.json": _package("node --test", type="module"), "frontend/src/calc.js": _ESM,
         "frontend/test/calc.test.js": _NODE_TEST},
        target="backend/calc.py", landed="backend/tests/test_add.py",
    ),
    "two_languages_js": Wild(
        _py(package_DOT_json=_package("node --test", type="module"), web__calc_DOT_js=_ESM,
            web__calc_DOT_test_DOT_js=_NODE_TEST.replace("../src/", "./")),
        target="web/calc.js", right=_ESM + _ESM_ADD,
    ),
    "crlf": Wild(_py(calc_DOT_py=_PY.replace("\n", "\r\n")), holds=lambda text: text.count(b"\n") == text.count(b"\r\n")),
    "bom": Wild(_py(calc_DOT_py="\ufeff" + _PY), holds=lambda text: text.startswith(b"\xef\xbb\xbf")),
    "latin1": Wild(
        _py(calc_DOT_py=b"# -*- coding: latin-1 -*-\n# \xe9\n" + _PY.encode()), expected=r"not UTF-8 text .*convert it"
    ),
    "link": Wild(
        _py(calc_DOT_py="", lib__real_DOT_py=_PY), after="rm calc.py; ln -s lib/real.py calc.py; git add -A; git commit -qm l",
        landed="lib/real.py",
    ),
    "odd_names": Wild(_py(**{"tests__données é.txt": "x", "a b.txt": "y"})),
    "detached": Wild(_py(), after="git branch -m main trunk; git checkout -q --detach"),
    "two_branches_none_named": Wild(
        _py(), after="git branch -m main one; git branch two; git checkout -q --detach", expected=r"there is no such branch"
    ),
    "agents_branch": Wild(_py(), after="git branch agents", expected=r"git\.integration_branch"),
    "checked_out_main": Wild(_py(), settings={"git": {"landing": "main"}}, expected=r"is checked out"),
    "empty": Wild({}, expected=r"make \(and push\) a first commit"),
    "hooks_and_signing": Wild(
        _py(), after="git config commit.gpgsign true; printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; "
                     "chmod +x .git/hooks/pre-commit"
    ),
    "hangs": Wild(_py(tests__test_hang_DOT_py="import time\n\ndef test_hang(): time.sleep(999)\n"),
                  settings={"testing": {"timeout": 15}}, expected=r"hangs"),
    "another_language": Wild({"Main.java": "class Main {}\n"}, expected=r"written in Java"),
}  # fmt: skip
_FRAMEWORKS = {
    "mocha": ("^11", 'import assert from "node:assert/strict";\nimport { double } from "../src/calc.js";\n\n'
              'describe("double", () => { it("doubles", () => assert.equal(double(4), 8)); });\n'),
    "vitest": ("^3", 'import { expect, test } from "vitest";\nimport { double } from "../src/calc.js";\n\n'
               'test("double", () => expect(double(4)).toBe(8));\n'),
    "ava": ("^6", 'import test from "ava";\nimport { double } from "../src/calc.js";\n\n'
            'test("double", (t) => t.is(double(4), 8));\n'),
    "tape": ("^5", 'import test from "tape";\nimport { double } from "../src/calc.js";\n\n'
             'test("double", (t) => { t.equal(double(4), 8); t.end(); });\n'),
    "uvu": ("^0.5", 'import { test } from "uvu";\nimport * as assert from "uvu/assert";\nimport { double } from '
            '"../src/calc.js";\n\ntest("double", () => assert.is(double(4), 8));\ntest.run();\n'),
}  # fmt: skip
_CALLS = {"mocha": "mocha", "vitest": "vitest run", "ava": "ava", "tape": "tape 'test/*.js'", "uvu": "uvu test"}


def _script(**changes: object) -> Wild:
    return Wild(**({"target": "src/calc.js", "right": _ESM + _ESM_ADD} | changes))  # type: ignore[arg-type]


JAVASCRIPT: dict[str, Wild] = {
    "js_node": _script(files=_js(_package("node --test", type="module"), _NODE_TEST)),
    "js_node_by_run": _script(
        files=_js(json.dumps(_MODULE | {"scripts": {"test": "npm run -s unit", "unit": "node --test"}}), _NODE_TEST)
    ),
    "js_shell_script": _script(
        files=_js(_package("sh check.sh"), f'{_REQUIRE}require("node:assert").equal(double(4), 8);\n', "test/calc.js",
                  _CJS, **{"check.sh": "for f in test/*.js; do node $f || exit 1; done\n"}),
        right=_CJS_ADD,
    ),
    "js_red_script": _script(
        files=_js(_package("sh check.sh"), "", "test/calc.js", _CJS, **{"check.sh": "exit 1\n"}), right=_CJS_ADD,
        expected=r"fails before any work",
    ),
    "js_script_gone": _script(
        files=_js(_package("no-such-runner"), "", "test/calc.js", _CJS), right=_CJS_ADD,
        expected=r"a program that the test script .* needs was not found",
    ),
    "js_no_tests": _script(files={"package.json": _package("node --test", type="module"), "src/calc.js": _ESM}),
    "js_commonjs": _script(
        files=_js(_package("node --test"), f'const test = require("node:test");\n{_REQUIRE}test("d", () => require("node:assert").equal(double(4), 8));\n', code=_CJS),
        right=_CJS_ADD,
    ),
    "js_no_script": _script(files={"package.json": json.dumps(_MODULE), "src/calc.js": _ESM, "test/calc.test.js": _NODE_TEST}),
    "js_placeholder_script": _script(
        files=_js(_package('echo "Error: no test specified" && exit 1', type="module"), _NODE_TEST)
    ),
    "js_pretest": _script(
        files=_js(json.dumps(_MODULE | {"scripts": {"pretest": "test -f src/calc.js", "test": "sh check.sh"}}),
                  _NODE_TEST, **{"check.sh": "node --import ./test/calc.test.js -e 0 && for f in test/*.js; do node $f || exit 1; done\n"}),
    ),
    "js_jasmine": _script(
        files=_js(_package("jasmine", {"jasmine": "^5"}), f'{_REQUIRE}it("doubles", () => expect(double(4)).toBe(8));\n',
                  "spec/calcSpec.js", _CJS,
                  **{"spec/support/jasmine.json": '{"spec_dir": "spec", "spec_files": ["**/*[sS]pec.js"]}'}),
        right=_CJS_ADD, landed="spec/addSpec.js",
    ),
    "js_jest": _script(
        files=_js(_package("jest", {"jest": "^29"}), f'{_REQUIRE}test("d", () => expect(double(4)).toBe(8));\n', code=_CJS),
        right=_CJS_ADD,
    ),
    "js_pnpm": _script(
        files=_js(_package("node --test", {"ms": "2.1.3"}, type="module"), _NODE_TEST, **{"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    ),
    "js_yarn": _script(
        files=_js(_package("node --test", {"ms": "2.1.3"}, type="module"), _NODE_TEST, **{"yarn.lock": "# yarn lockfile v1\n"})
    ),
    "js_workspaces": Wild(
        {"package.json": json.dumps({"name": "root", "private": True, "workspaces": ["packages/*"],
                                     "scripts": {"test": "npm test --workspaces"}}),
         "packages/util/package.json": _package("node --test", type="module"), "packages/util/src/calc.js": _ESM,
         "packages/util/test/calc.test.js": _NODE_TEST, ".gitignore": "node_modules\n"},
        target="packages/util/src/calc.js", right=_ESM + _ESM_ADD,
    ),
    **{
        f"js_{name}": _script(files=_js(_package(_CALLS[name], {name: version}, type="module"), test))
        for name, (version, test) in _FRAMEWORKS.items()
    },
}  # fmt: skip
ALL = PYTHON | JAVASCRIPT

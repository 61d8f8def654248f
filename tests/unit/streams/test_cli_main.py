"""The program as a whole: help, errors, exit codes, and what a command does without."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from schemas import errors
from streams.cli import exit_codes, reference
from streams.cli.lazy import LazyCommand
from streams.cli.main import COMMANDS, app, main

if TYPE_CHECKING:
    from pathlib import Path

RUN = CliRunner()
PRESENT = sorted(name for name, (module, _) in COMMANDS.items() if find_spec(module))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with no settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIR_CONFIG", "")  # what --config leaves there goes again
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)


def run_python(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return result.stdout


@pytest.mark.parametrize("name", PRESENT)
def test_every_command_explains_itself(name: str) -> None:
    """The help of each command says what it does and shows how it is called."""
    result = RUN.invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    module, summary = COMMANDS[name]
    shown = " ".join(result.output.split())
    assert summary in shown
    for example in import_module(module).EXAMPLES:
        assert example in shown


@pytest.mark.parametrize("name", PRESENT)
def test_summaries_are_the_first_lines_of_the_commands(name: str) -> None:
    """What `weir --help` says of a command is what the command says of itself."""
    module, summary = COMMANDS[name]
    docstring = inspect.cleandoc(import_module(module).command.__doc__)
    assert docstring.partition("\n")[0] == summary


@pytest.mark.parametrize("name", PRESENT)
def test_every_option_is_explained(name: str) -> None:
    """No option stands in a help text without a word."""
    loaded = LazyCommand(name, *COMMANDS[name]).loaded
    assert [one.name for one in loaded.params if not one.help] == []


def test_help_lists_the_commands_without_importing_them() -> None:
    """`weir --help` answers at once: it loads no command, no client and no compiler."""
    program = """
import sys
from typer.testing import CliRunner
from streams.cli.main import app
result = CliRunner().invoke(app, ["--help"])
assert result.exit_code == 0, result.output
import json
print(json.dumps([result.output, sorted(sys.modules)]))
"""
    output, modules = json.loads(run_python(program))
    for name in PRESENT:
        assert name in output
    loaded = {"numba", "faust", "confluent_kafka", "pydantic", "numpy", "streams.settings"}
    assert not loaded & set(modules)
    assert not {module for module, _ in COMMANDS.values()} & set(modules)


def test_verifying_needs_neither_compiler_nor_stream() -> None:
    """A verifier loads little code that could lie to it: no learner, no compiler, no framework."""
    modules = json.loads(
        run_python("import sys, json, streams.cli.verify; print(json.dumps(sorted(sys.modules)))")
    )
    assert not {"numba", "faust", "rocksdict", "operators.fusion.cell"} & set(modules)


def test_unknown_commands_are_answered_with_the_nearest() -> None:
    """A misspelt command is a usage error that says which one was meant."""
    result = RUN.invoke(app, ["prodcue"])
    assert result.exit_code == 2
    assert "produce" in result.output


def test_error_is_one_line_with_what_to_do() -> None:
    """Without a broker a command says so, says what to do, and shows no traceback."""
    result = RUN.invoke(app, ["inspect"])
    assert result.exit_code == 69
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "weir up" in line
    assert result.stdout == ""


def test_debug_shows_where_an_error_comes_from() -> None:
    """With --debug the same error comes with its traceback."""
    result = RUN.invoke(app, ["--debug", "inspect"])
    assert result.exit_code == 69
    assert "Traceback" in result.stderr


def test_settings_file_can_be_named(tmp_path: Path) -> None:
    """--config decides which settings hold; one that is not there is an error, not the defaults."""
    path = tmp_path / "other.toml"
    path.write_text("application_id = 'other'\n", encoding="utf-8")
    missing = RUN.invoke(app, ["--config", "missing.toml", "topology"])
    assert missing.exit_code == 78
    assert "missing.toml" in missing.stderr
    found = RUN.invoke(app, ["--config", str(path), "topology", "--json"])
    assert "other-state-changelog" in found.stdout


def test_misspelt_setting_is_refused(tmp_path: Path) -> None:
    """A setting that does not exist is named, not passed over."""
    (tmp_path / "weir.toml").write_text("[stream]\ngahter_ms = 5\n", encoding="utf-8")
    result = RUN.invoke(app, ["topology"])
    assert result.exit_code == 78
    assert "gahter_ms" in result.stderr


def test_file_that_cannot_be_written_is_said_so() -> None:
    """A full disk or a wrong path is told in a line, with the path."""
    result = RUN.invoke(app, ["topology", "--svg", "no/such/folder.svg"])
    assert result.exit_code == 78
    assert "no/such/folder.svg" in result.stderr


def test_bug_shows_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no command expected ends with its traceback and a code of its own."""

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.cli.main.app", broken)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    """In a pipe, and where NO_COLOR is set, no escape sequence is printed."""
    for environment in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        result = RUN.invoke(app, ["inspect"], env=environment)
        assert "\x1b" not in result.output


def test_page_of_commands_is_what_the_commands_declare() -> None:
    """docs/commands.md says what --help says."""
    page = reference.PAGE.read_text(encoding="utf-8")
    assert reference.with_reference(page) == page, "run: python -m streams.cli.reference"


def test_page_of_commands_has_every_exit_code() -> None:
    """No command ends with a code that the table does not explain."""
    page = reference.PAGE.read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    of_errors = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.WeirError)
    }
    of_commands = {code for code in vars(exit_codes).values() if isinstance(code, int)}
    assert of_errors | of_commands <= documented

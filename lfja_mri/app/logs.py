"""What happened, for machines and for the curious: `--log-json` and `--verbose`, which every command takes.

A line tells when, what, and facts that name studies by key and inputs by position; nothing of a header is in it.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from lfja_mri.app.display import messages
from lfja_mri.errors import LfjaError, OutputError
from lfja_mri.events import LOGGER, tell


class JsonLines(logging.FileHandler):
    """Writes one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one event as JSON."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": when, "event": record.getMessage(), **_facts(record)}, sort_keys=True)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the standard library
        """Tell of a log that cannot be written as of any other output."""
        del record
        raise OutputError(f"cannot write the log {self.baseFilename}")


class Shown(logging.Handler):
    """Shows events as lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event."""
        facts = ", ".join(f"{name} {value}" for name, value in _facts(record).items())
        messages.print(f"{record.getMessage().replace('_', ' ')}: {facts}", markup=False)


LogJson = Annotated[
    Path | None, typer.Option("--log-json", help="Append what happens to a file, one JSON object a line.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show what happens, and why anything is left out.")
]


def attach(app: typer.Typer) -> None:
    """Give every command the two options."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = logged(command.callback)


def logged(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command with two more parameters, which it does not see: typer reads options from the signature."""

    @wraps(command)
    def run(*given: Any, log_json: Path | None, verbose: bool, **named: Any) -> Any:
        with _listening(log_json, verbose=verbose):
            return command(*given, **named)

    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter("log_json", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LogJson),
        inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose),
    ]
    whole = own.replace(parameters=[*own.parameters.values(), *more])
    run.__dict__["__signature__"] = whole
    run.__annotations__ = {name: one.annotation for name, one in whole.parameters.items()}
    return run


@contextmanager
def _listening(log_json: Path | None, *, verbose: bool) -> Iterator[None]:
    handlers: list[logging.Handler] = [Shown()] if verbose else []
    try:
        if log_json is not None:
            handlers.append(JsonLines(log_json, encoding="utf-8"))
    except OSError as error:
        raise OutputError(f"cannot write the log {log_json}: {error.strerror}") from error
    before = LOGGER.level
    LOGGER.setLevel(logging.INFO if handlers else before)
    for handler in handlers:
        LOGGER.addHandler(handler)
    try:
        yield
    except LfjaError as error:
        tell("error", text=str(error), exit_code=int(error.exit_code))
        raise
    finally:
        LOGGER.setLevel(before)
        for handler in handlers:
            LOGGER.removeHandler(handler)
            handler.close()


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return dict(getattr(record, "facts", {}))

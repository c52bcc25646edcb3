"""The root command, which turns the errors of the product into a line of text and an exit code."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lfja_mri import __version__
from lfja_mri.app.display import messages
from lfja_mri.errors import LfjaError

NOTICE = "Research software, not a medical device."


class LfjaGroup(typer.core.TyperGroup):
    """Turns the family of errors into one line on standard error and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LfjaError as error:
            messages.print(f"[bold red]error:[/] {_plain(error)}")
            raise typer.Exit(int(error.exit_code)) from None


def _plain(error: LfjaError) -> str:
    text = str(error).replace("[", r"\[")
    return f"{text} ({error.reason.value})" if error.reason else text


app = typer.Typer(
    cls=LfjaGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=f"Grade lumbar facet joint synovitis on MRI, and its change from baseline.\n\n{NOTICE}",
    epilog="Exit codes: 0 done, 1 bug, 2 usage, 3 configuration, 4 nothing usable, 5 some studies failed, "
    "6 every study failed, 7 cannot write, 8 --check, --strict or --fail-on not met.\n\n"
    "Start with `lfja-mri grade STUDY --out graded`; each command's --help ends with examples. Tab completion: "
    "`lfja-mri --install-completion`.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of a typer callback
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    del version

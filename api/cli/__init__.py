"""The command line. Each command is a module of this package, loaded by name when it is asked for."""

from __future__ import annotations

import logging
import signal
import sys
from importlib import import_module

import click

from api.logs import configure_logging
from api.store.address import redact
from engine.errors import RestockError

logger = logging.getLogger(__name__)

COMMANDS = {
    "demo": "Plan the made-up demo world and show where to look.",
    "import": "Turn a public data set into contract tables.",
    "check": "Check tables and print the data report.",
    "forecast": "Forecast demand as a distribution.",
    "plan": "Make a plan: orders, transfers, presale allocations, alerts.",
    "explain": "Say why one item at one location is planned as it is.",
    "compare": "Say what a plan changes in the one before it, and why.",
    "review": "Compare the overrides of a past plan with what happened.",
    "backtest": "Compare forecasters on the past.",
    "replay": "Compare policies on the past, week by week.",
    "serve": "Start the HTTP service and its worker.",
    "worker": "Work through the jobs of a store.",
    "migrate": "Create the store or bring it to the current version.",
    "keys": "Create, list and revoke API keys.",
}


class CommandsByName(click.Group):
    """A group that imports the module of a command only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"api.cli.{cmd_name}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=CommandsByName, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="restock")
@click.option("--verbose", is_flag=True, help="Log what is done, to stderr.")
def restock(verbose: bool) -> None:
    """Forecast demand and decide stock: tables in, an explained plan out."""
    configure_logging(logging.INFO if verbose else logging.WARNING)


def main() -> None:
    """Run the command line; exit codes are those of docs/design.md, 9."""
    # `kill` ends a command as Ctrl-C does: in order, and what was written aside is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure_logging(logging.WARNING)
    try:
        code = restock.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped. Nothing half-written was left.")
        sys.exit(1)
    except RestockError as error:
        _say(redact(f"{type(error).__name__}: {error}"))
        sys.exit(error.exit_code)
    except Exception:
        # By the log, which takes passwords out of the traceback.
        logger.exception("Something unexpected happened")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        # Over the line of progress that stands there.
        click.echo("\r\033[K", nl=False, err=True)
    click.echo(text, err=True)

"""The commands together, and how an error of any becomes one sentence and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from saturn_hub.cli import environments, resources, signing, work
from saturn_hub.cli.output import FAILED, INTERRUPTED, NOT_FOUND, UNREACHABLE, Failed

EXIT_CODES = """\b
Exit codes:
  0    done
  1    refused by the hub, or the run, start or deployment that was waited for failed
  2    the command line is wrong
  3    the hub cannot be reached
  4    there is no such thing, or you may not do this
  130  ended by Ctrl-C"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXIT_CODES)
@click.option("--hub", "url", envvar="SATURN_HUB_URL", metavar="URL", help="The hub to use; the last one signed in to otherwise.")
@click.version_option(package_name="saturn-hub", prog_name="saturn")
@click.pass_context
def saturn(context: click.Context, url: str | None) -> None:
    """Workspaces, jobs and apps on Saturn Hub.

    A resource is named `job/ada/churn`, `ada/churn`, `team:growth/churn`, or `churn` where that is plain.

    Sign in first: saturn login --url https://hub.example.com --user ada
    """
    context.obj = signing.Hubs(url)


@saturn.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hub(arguments: tuple[str, ...]) -> None:
    """Run a hub of your own on this machine: start, stop."""
    try:
        from saturn_hub.cli import hub as command
    except ImportError as error:
        raise Failed(f"The parts of the server are not installed here ({error.name} is missing): pip install 'saturn-hub[local]'") from error
    sys.exit(command.main(list(arguments)))


for module in (signing, resources, work, environments):
    for each in module.COMMANDS:
        saturn.add_command(each)


def run() -> NoReturn:
    """Run the command of this process's arguments, and exit."""
    from saturn_hub.client import ClientError

    try:
        saturn.main(standalone_mode=False)
        sys.exit(0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Ended.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output had enough of it.
        sys.stderr.close()
        sys.exit(FAILED)
    except ClientError as error:
        _say(error)
        sys.exit(UNREACHABLE if error.code == "unreachable" else NOT_FOUND if error.status in (401, 403, 404) else FAILED)


def _say(error: object) -> None:
    """The sentence, or where there are several problems each with its path."""
    message, path, details = error.message, error.path, error.details  # type: ignore[attr-defined]
    if error.status == 401:  # type: ignore[attr-defined]
        message = "The hub does not know your token any more. Sign in again: saturn login"
    if len(details) > 1:
        for each in details:
            click.echo(f"Error: {each['path'] + ': ' if each['path'] else ''}{each['message']}", err=True)
        return
    click.echo(f"Error: {path + ': ' if path else ''}{message}", err=True)

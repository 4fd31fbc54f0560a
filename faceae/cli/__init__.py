"""The `faceae` command. Each verb has a module, which is imported only when the verb runs."""

import errno
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

import faceae

from ._command import Group
from ._failure import Failure

__all__ = ["main", "run"]

VERBS = {
    "synth": "Draw artificial faces, in CelebA's layout.",
    "shard": "Pack photographs into a dataset of WebDataset shards.",
    "adopt": "Make a dataset of the WebDataset shards of another tool.",
    "verify": "Check every file and image of a dataset.",
    "info": "Print what a dataset contains.",
    "train": "Train an autoencoder on a dataset.",
    "tune": "Search for good options in many short trainings.",
    "eval": "Measure how well a model reconstructs held-out faces.",
    "report": "Write a web page about a run or a study.",
    "fit": "Fit the distribution that new faces are drawn from.",
    "generate": "Draw new faces.",
    "directions": "Find what changes attributes of faces.",
    "edit": "Change attributes of faces, such as smiling.",
    "morph": "Make an animation from one face to another.",
    "neighbours": "Find the faces of a dataset that are most like a given one.",
    "map": "Draw a map of the latent space with the faces of a dataset.",
    "export": "Export a model to ONNX, TorchScript, OpenVINO or a web page.",
    "serve": "Serve a model over HTTP.",
    "sagemaker": "Pack, train and deploy on Amazon SageMaker.",
    "drift": "Compare the images that a server got with the training faces.",
    "doctor": "Check what works on this machine.",
}


class _LazyGroup(Group):
    """A group whose help imports no verb's module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"faceae.cli._{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(faceae.__version__, prog_name="faceae")
def _cli() -> None:
    """Train autoencoders on photographs of faces, and generate new faces.

    The usual order is shard, train, fit, generate. `faceae COMMAND --help` explains a command.
    """


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    0: done. 1: a request that cannot be met; one line on stderr says why. 2: wrong usage.
    130: Ctrl-C. 143: SIGTERM.
    """
    try:
        status = _cli.main(list(argv), prog_name="faceae", standalone_mode=False)
    except Failure as error:
        return _fail(error.message, 1)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except _Terminated:
        return _fail("terminated", 143)
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _fail(_describe(error), 1)
    return status if isinstance(status, int) else 0


def main() -> None:
    """Entry point of the `faceae` script."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


class _Terminated(BaseException):
    """SIGTERM was received. Cleanup runs as on Ctrl-C."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _fail(message: str, code: int) -> int:
    click.echo(f"faceae: error: {' '.join(message.split())}", err=True)
    return code


def _describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        what = "the disk is full; free some space and try again"
    return f"{where}{what}"

"""faceae tune."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceae_shards import Location

from . import _train
from ._command import Option, address_option, data_argument, option, section, suggest_next, verb
from ._failure import exit_code
from ._remote import fetch_dataset

if TYPE_CHECKING:
    from faceae.tuning import TuneResult

_TRAIN_SECTIONS = ("Training", "Model", "Speed and memory")
_NOT_SHARED = frozenset({"early_stop", "keep_checkpoints"})
"""Options of `faceae train` that a study decides itself."""
_TABLE_ROWS = 5


def _train_options(function: Any) -> Any:
    """Add the options of `faceae train` that all trials share."""
    shared = [
        parameter
        for parameter in _train.command.params
        if isinstance(parameter, Option)
        and parameter.section in _TRAIN_SECTIONS
        and parameter.name not in _NOT_SHARED
    ]
    function.__click_params__ = [*reversed(shared), *getattr(function, "__click_params__", [])]
    return function


@verb()
@data_argument
@option(
    "--study",
    metavar="DIR|URL",
    required=True,
    help="Folder of the study, or the URL of a database that holds it, such as "
    "postgresql://user@host/name. A study that exists is continued.",
)
@option("--trials", type=int, default=20, metavar="N", help="Trials of the whole study.")
@option(
    "--space",
    "space_path",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file with the options to search.",
)
@option(
    "--search",
    "searched",
    multiple=True,
    metavar="NAME=VALUES",
    help="An option to search: NAME=LOW:HIGH, NAME=LOW:HIGH:log, NAME=LOW:HIGH:STEP or "
    "NAME=A,B,C. Can be repeated; goes before --space.",
)
@option(
    "--objective",
    type=click.Choice(["psnr", "samples"]),
    show_default="psnr",
    help="What to improve. psnr: PSNR on held-out faces. samples: Fréchet distance of new faces, "
    "measured after each epoch.",
)
@option(
    "--samples",
    type=int,
    metavar="N",
    show_default="2000",
    help="With --objective samples: new faces to measure.",
)
@option(
    "--pruning",
    type=click.Choice(["hyperband", "halving", "none"]),
    show_default="hyperband",
    help="End trials early that are worse than others after as many epochs. hyperband: spare some "
    "of them for longer. halving: successive halving.",
)
@option(
    "--promote",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="When all trials are done, copy the best run to OUT. `faceae train --resume --epochs N` "
    "can extend it.",
)
@option(
    "--runs",
    metavar="DIR",
    type=click.Path(path_type=Path),
    show_default="the study's folder",
    help="Folder for the runs of the trials; with a database it must be given.",
)
@option("--name", default="faceae", metavar="NAME", help="Name of the study in a database.")
@section(
    "Ray",
    option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        help="Where trials run. local: in this process. ray: on a Ray cluster, one per GPU or per "
        "--cpus-per-trial.",
    ),
    address_option,
    option(
        "--cpus-per-trial",
        type=click.IntRange(min=1),
        default=1,
        metavar="N",
        help="With --executor ray: CPU cores of a trial.",
    ),
)
@_train_options
def command(
    data: Location,
    study: str,
    trials: int,
    space_path: Path | None,
    searched: tuple[str, ...],
    objective: Any,
    samples: int | None,
    pruning: Any,
    promote: Path | None,
    runs: Path | None,
    name: str,
    executor: str,
    address: str | None,
    cpus_per_trial: int,
    **options: Any,
) -> int:
    """Search for the options of `faceae train` that work best on DATA.

    Each trial is a training with other values of the searched options. All other options are shared
    by the trials. To use several processes or machines, run the same command several times.

    After an interruption, the same command goes on. A trial whose process was killed is noticed and
    tried again. `faceae report DIR` writes a web page about the study.

    DIR holds the trials' runs. Only the best keeps its weights. DIR/journal.log is Optuna's
    journal, which optuna-dashboard opens.
    """
    from faceae.tuning import TuneConfig, read_space, tune, tune_on_cluster

    from ._tune_progress import TuneProgress

    config = TuneConfig(
        data=data,
        study=study if "://" in study else Path(study),
        trials=trials,
        space=read_space(space_path, searched),
        options={name: value for name, value in options.items() if value is not None},
        objective=objective,
        samples=samples,
        pruning=pruning,
        runs=runs,
        name=name,
    )
    fetch_dataset(data)
    with TuneProgress() as progress:
        if executor == "ray":
            result = tune_on_cluster(
                config, progress, address=address, cpus_per_trial=cpus_per_trial
            )
        else:
            result = tune(config, progress)
    click.echo(_summarise(result))
    if result.stopped_by is None and promote is not None and not result.num_running:
        click.echo(_promote(result, promote))
        suggest_next("fit", promote, data)
    elif result.stopped_by is None and isinstance(config.study, Path):
        suggest_next("report", study)
    return exit_code(result.stopped_by)


def _summarise(result: "TuneResult") -> str:
    from ._tune_progress import format_trials

    study = result.study
    lines = [f"{study.title}: {_count_states(result)}"]
    best = study.list_best(_TABLE_ROWS)
    if best:
        lines += format_trials(study.record, best)
    if result.stopped_by is not None:
        lines.append(f"stopped by {result.stopped_by.name}; to go on, run the same command again")
    elif result.num_running:
        lines.append(
            f"other processes work on {result.num_running} of the trials; with --promote the one "
            "that ends last copies the best run"
        )
    return "\n".join(lines)


def _count_states(result: "TuneResult") -> str:
    counts: dict[str, int] = {}
    for trial in result.study.trials:
        counts[trial.state] = counts.get(trial.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no trials"


def _promote(result: "TuneResult", out: Path) -> str:
    from faceae.tuning import promote

    run = promote(result.study, out)
    best = result.study.best
    assert best is not None
    assert best.value is not None
    value = result.study.record.describe(best.value)
    return f"{run.path}: the run of trial {best.number}, {value}"

"""Runs the trials of a study as tasks of a Ray cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faceae_shards.executors import Tick, open_executor

from ._config import TuneConfig
from ._runs import Cleaner
from ._storage import explain_storage
from ._study import OpenStudy, open_study
from ._tune import TuneResult, run_next, view
from ._view import TrialView
from ._watch import TuneObserver


@dataclass(frozen=True)
class _TrialWorker:
    """Runs one trial for each task. It may run in any process of the cluster."""

    config: TuneConfig

    def run(self, task: int, tick: Tick) -> TrialView | None:
        """Run the next trial. Return None if the study has all of them."""
        opened = open_study(self.config)
        with Cleaner(opened.place) as cleaner:
            return run_next(opened, TuneObserver(), cleaner)

    def close(self) -> None:
        """Nothing stays open."""


def tune_on_cluster(
    config: TuneConfig,
    observer: TuneObserver | None = None,
    *,
    address: str | None = None,
    cpus_per_trial: int = 1,
    workers: int | None = None,
) -> TuneResult:
    """Run the trials of a study on a Ray cluster, each on one GPU or a share of the CPUs.

    Dataset and study must lie where every machine sees them, or at URLs. A trial whose process was
    killed is tried again.

    Args:
        observer: receives the ends of trials only.
        address: host:port of the cluster's head, "auto" or "local". The default is "auto".
        cpus_per_trial: CPUs that a trial reserves, beside one GPU if the cluster has any.
        workers: trials that run or wait in the cluster. The default is two for each it has room
            for.

    Raises:
        FaceaeError, ShardsError: as `tune`; or Ray is not installed, or no cluster answers.
    """
    config = config.absolute()
    opened = open_study(config)
    watch = observer or TuneObserver()
    watch.on_study(view(opened), config.trials)

    def on_result(trial: TrialView | None) -> None:
        if trial is not None:
            watch.on_trial_end(trial, view(opened).best)

    needs = [path for path in (config.data, config.study, config.runs) if isinstance(path, Path)]
    use_gpus = config.options.get("device", "auto") != "cpu"
    with open_executor(
        "ray",
        workers=workers,
        address=address,
        preload=__name__,
        cpus_per_task=cpus_per_trial,
        use_gpus=use_gpus,
    ) as executor:
        executor.run(
            _TrialWorker(config),
            _need_trials(opened),
            on_result=on_result,
            on_ticks=lambda count: None,
            needs=needs,
        )
    with explain_storage(opened.place):
        return TuneResult(study=view(opened), stopped_by=None)


def _need_trials(opened: OpenStudy) -> Iterator[int]:
    """Yield task numbers while the study has fewer trials than asked for, at most that many."""
    num_tasks = 0
    with explain_storage(opened.place):
        while opened.count() < opened.config.trials and num_tasks < opened.config.trials:
            yield num_tasks
            num_tasks += 1

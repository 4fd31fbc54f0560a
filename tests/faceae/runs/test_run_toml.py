"""run.toml: its keys are options of `faceae train`, and its values those of the run."""

import tomllib
from dataclasses import replace
from pathlib import Path

from faceae.cli._config import _list_options
from faceae.cli._train import command
from faceae.runs import Run, TrainConfig, write_run_toml


def read_toml(run: Run) -> dict[str, object]:
    run.path.mkdir(exist_ok=True)
    write_run_toml(run)
    return tomllib.loads(run.options_path.read_text(encoding="utf-8"))


def with_options(run: Run, **options: object) -> Run:
    return replace(run, config=replace(run.config, **options))  # type: ignore[arg-type]


def test_keys_are_options_of_train(run: Run) -> None:
    written = read_toml(
        with_options(run, model="variational", kl_weight=0.3, free_bits=0.1, clip_norm=1.0)
    )
    options = set(_list_options(command)) - {"run", "resume", "restart_epoch", "verbose", "quiet"}
    left_open = {"early_stop", "noise_std", "latent_penalty", "tracker"}
    assert written.keys() == options - left_open | {"version"}
    assert written["kl_weight"] == 0.3
    assert "early_stop" in read_toml(with_options(run, early_stop=3))


def test_values_are_what_the_run_chose(run: Run) -> None:
    run = replace(with_options(run, amp=True, device="auto", lr=None), dtype="float32")
    written = read_toml(run)
    assert written["amp"] is False
    assert written["device"] == "cpu"
    assert written["lr"] == run.config.peak_lr
    assert written["image_size"] == run.model.image_size
    assert read_toml(replace(run, dtype="bfloat16"))["amp"] is True


def test_trackers_are_a_list(run: Run) -> None:
    trackers = ("mlflow", "wandb")
    assert read_toml(with_options(run, tracker=trackers))["tracker"] == list(trackers)


def test_path_of_first_weights_is_absolute_and_may_hold_any_character(run: Run) -> None:
    init = Path('we"i\\ghts\x7f\u2028é😀.pt')
    assert read_toml(with_options(run, init=init))["init"] == str(init.absolute())


def test_path_that_is_no_unicode_is_written(config: TrainConfig, run: Run) -> None:
    run = with_options(run, init=Path("bad\udcff.pt"))
    run.path.mkdir(exist_ok=True)
    write_run_toml(run)
    assert "bad\\udcff.pt" in run.options_path.read_text(encoding="utf-8")

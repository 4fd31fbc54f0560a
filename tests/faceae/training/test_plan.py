"""Planning a run: choices, refusals, and the options of a resumed run."""

from dataclasses import replace

import pytest
import torch

import faceae_shards
from faceae.device import AmpChoice, CacheMode
from faceae.errors import FaceaeError
from faceae.runs import Run, TrainConfig, read_run, write_run
from faceae.training import _plan
from faceae.training._plan import check_dataset, find_device, plan_run, reopen_run
from faceae_shards.faces import Place

CPU = torch.device("cpu")


def test_what_a_run_was_planned_for(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset
) -> None:
    run = plan_run(config, dataset_npy, CPU)
    assert run.versions["torch"].startswith("2.")
    assert run.versions["faceae"]
    assert run.dtype == "float32"
    assert run.held_out_split == "valid"
    assert run.num_train_images == 24


def test_a_run_knows_how_its_faces_were_framed(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(eyes=((0.3, 0.4), (0.7, 0.4)), mouth=(0.5, 0.8))
    monkeypatch.setattr(_plan, "check_detector", lambda: "5.0")
    monkeypatch.setattr(_plan, "measure_place", lambda images: place if len(images) > 20 else None)
    for aligned, measured in ((True, None), (None, None), (False, place)):
        manifest = replace(dataset_npy.manifest, aligned=aligned)
        run = plan_run(config, replace(dataset_npy, manifest=manifest), CPU)
        assert (run.aligned, run.place) == (aligned, measured)


def test_without_a_detector_faces_have_no_place(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise faceae_shards.ShardsError("pip install 'faceae[align]'")

    monkeypatch.setattr(_plan, "check_detector", fail)
    dataset = replace(dataset_npy, manifest=replace(dataset_npy.manifest, aligned=False))
    run = plan_run(config, dataset, CPU)
    assert (run.aligned, run.place) == (False, None)


@pytest.mark.parametrize(
    ("dtype", "name"), [(torch.bfloat16, "bfloat16"), (torch.float16, "float16")]
)
def test_dtype_is_chosen_once(
    config: TrainConfig,
    dataset_npy: faceae_shards.Dataset,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    name: str,
) -> None:
    asked = []

    def choose(device: torch.device, requested: bool) -> AmpChoice:
        asked.append((device, requested))
        return AmpChoice(dtype=dtype, reason="because")

    monkeypatch.setattr(_plan, "choose_amp", choose)
    write_run(plan_run(replace(config, amp=True), dataset_npy, CPU))
    run = read_run(config.run)
    assert asked == [(CPU, True)]
    assert (run.dtype, run.amp_dtype, run.dtype_reason) == (name, dtype, "because")


def test_folder_with_a_run(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> None:
    write_run(plan_run(config, dataset_npy, CPU))
    with pytest.raises(FaceaeError, match="there is a run already; pass `resume=True`"):
        plan_run(config, dataset_npy, CPU)


def test_folder_with_other_files(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> None:
    config.run.mkdir()
    (config.run / "thesis.tex").touch()
    with pytest.raises(FaceaeError, match="is not empty; give a new folder"):
        plan_run(config, dataset_npy, CPU)


def test_file_in_the_folders_place(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> None:
    config.run.touch()
    with pytest.raises(FaceaeError, match="is a file; give a new folder"):
        plan_run(config, dataset_npy, CPU)


def test_empty_folder_will_do(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> None:
    config.run.mkdir()
    assert plan_run(config, dataset_npy, CPU).path == config.run
    assert list(config.run.iterdir()) == []


def only(dataset: faceae_shards.Dataset, *splits: str) -> faceae_shards.Dataset:
    return with_manifest(dataset, splits={split: dataset.splits[split] for split in splits})


def with_manifest(dataset: faceae_shards.Dataset, **changes: object) -> faceae_shards.Dataset:
    return replace(dataset, manifest=replace(dataset.manifest, **changes))


def test_quality_is_measured_on_test_where_there_is_no_valid(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset
) -> None:
    run = plan_run(config, only(dataset_npy, "train", "test"), CPU)
    assert run.held_out_split == "test"


@pytest.mark.parametrize(
    ("split_by", "shares", "remedy"),
    [
        ("person", (1.0, 0.0, 0.0), "pack it again with a `split`"),
        ("person", (0.9, 0.05, 0.05), "its 24 images are too few to split; pack more"),
        ("source", (0.9, 0.05, 0.05), "add a folder named valid"),
    ],
)
def test_no_held_out_split(
    config: TrainConfig,
    dataset_npy: faceae_shards.Dataset,
    split_by: str,
    shares: tuple[float, float, float],
    remedy: str,
) -> None:
    options = replace(dataset_npy.manifest.config, split=shares)
    dataset = with_manifest(only(dataset_npy, "train"), split_by=split_by, config=options)
    with pytest.raises(FaceaeError, match=rf"no held-out split .*{remedy}"):
        plan_run(config, dataset, CPU)


@pytest.mark.parametrize(
    ("packed", "requested", "chosen"),
    [
        ((128, 128), None, 128),
        ((100, 100), None, 64),
        (None, None, 64),
        ((128, 128), 64, 64),
        (None, 256, 256),
    ],
)
def test_image_size(
    config: TrainConfig,
    dataset_npy: faceae_shards.Dataset,
    packed: tuple[int, int] | None,
    requested: int | None,
    chosen: int,
) -> None:
    dataset = with_manifest(dataset_npy, image_size=packed)
    run = plan_run(replace(config, image_size=requested), dataset, CPU)
    assert run.model.image_size == chosen


@pytest.mark.parametrize(("packed", "requested"), [(48, None), (64, 128)])
def test_pictures_smaller_than_the_image_size(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, packed: int, requested: int | None
) -> None:
    dataset = with_manifest(dataset_npy, image_size=(packed, packed))
    with pytest.raises(FaceaeError, match=rf"is {packed} pixels, .* `size={requested or 64}`"):
        plan_run(replace(config, image_size=requested), dataset, CPU)


def test_image_size_no_network_has(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> None:
    dataset = with_manifest(dataset_npy, image_size=(300, 300))
    with pytest.raises(FaceaeError, match="`image_size` must be one of 32, 64, 128, 256, got 48"):
        plan_run(replace(config, image_size=48), dataset, CPU)


@pytest.fixture
def written(config: TrainConfig, dataset_npy: faceae_shards.Dataset) -> Run:
    run = plan_run(replace(config, device="auto"), dataset_npy, CPU)
    write_run(run)
    return run


def test_same_options_may_be_given_again(written: Run) -> None:
    given = {"epochs": 2, "lr": 2e-3, "image_size": 32, "amp": False, "device": "cpu"}
    for asked in ({}, given):
        assert reopen_run(written.path, asked, restart_epoch=False) == written


def test_device_chosen_by_auto_may_be_named(written: Run) -> None:
    reopen_run(written.path, {"device": "cpu"}, restart_epoch=False)
    reopen_run(written.path, {"device": "auto"}, restart_epoch=False)
    with pytest.raises(FaceaeError, match="`device` is cuda where the run has cpu"):
        reopen_run(written.path, {"device": "cuda"}, restart_epoch=False)


@pytest.mark.parametrize("restart_epoch", [False, True])
def test_other_options_are_named(written: Run, restart_epoch: bool) -> None:
    asked = {"epochs": 30, "batch_size": 8, "latent_size": 64}
    with pytest.raises(FaceaeError) as caught:
        reopen_run(written.path, asked, restart_epoch=restart_epoch)
    message = str(caught.value)
    assert "`epochs` is 30 where the run has 2" in message
    assert "`latent_size` is 64 where the run has 16" in message
    assert "batch" not in message
    assert "restart_epoch" not in message


def test_another_batch_needs_a_new_epoch(written: Run) -> None:
    asked = {"batch_size": 16, "sync_batchnorm": True}
    with pytest.raises(FaceaeError, match=r"`batch_size` is 16 where .* `restart_epoch=True`"):
        reopen_run(written.path, asked, restart_epoch=False)
    config = reopen_run(written.path, asked, restart_epoch=True).config
    assert (config.batch_size, config.sync_batchnorm) == (16, True)
    assert read_run(written.path) == written


def test_another_dataset(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, dataset_jpg: faceae_shards.Dataset
) -> None:
    run = plan_run(config, dataset_npy, CPU)
    check_dataset(run, dataset_npy)
    with pytest.raises(FaceaeError, match=r"not the data .* was started with"):
        check_dataset(run, dataset_jpg)


def test_run_of_a_cpu_stays_there(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan_run(replace(config, device="auto"), dataset_npy, CPU)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device(run) == CPU


def test_run_of_a_gpu_where_there_is_none(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = replace(plan_run(config, dataset_npy, CPU), device="cuda")
    with pytest.raises(
        FaceaeError, match=r"was started on cuda, and .*; resume it on a machine with"
    ):
        find_device(run)


@pytest.mark.parametrize(("asked", "place"), [("auto", "ram"), ("none", "none")])
def test_where_the_faces_are_held_is_kept(
    config: TrainConfig, dataset_npy: faceae_shards.Dataset, asked: CacheMode, place: str
) -> None:
    write_run(plan_run(replace(config, cache=asked), dataset_npy, CPU))
    assert read_run(config.run).cache == place

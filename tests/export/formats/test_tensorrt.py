"""Options of TensorRT, as they would be passed; TensorRT itself needs a GPU."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import onnxruntime
import pytest

from faceae.runs import TrainedModel
from faceae_export import GPU_MICRO_BATCH, Kind
from faceae_export.formats._tensorrt import load_tensorrt, make_tensorrt_options
from faceae_export.graph import describe_export


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FACEAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_file(path: Path, content: bytes = b"weights") -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "numbers_as_rows", "shapes"),
    [
        ("decoder", False, "latents:{}x16"),
        ("generator", False, "noise:{}x16"),
        ("generator", True, "noise:{0}x16,truncation:{0}x1"),
        ("encoder", False, "images:{}x32x32x3"),
    ],
)
def test_one_engine_serves_every_batch_size(
    trained: TrainedModel, tmp_path: Path, kind: Kind, numbers_as_rows: bool, shapes: str
) -> None:
    info = replace(describe_export(trained, kind), numbers_as_rows=numbers_as_rows)
    options = make_tensorrt_options(make_file(tmp_path / "file.onnx"), info)
    for name, count in (("min", 1), ("opt", GPU_MICRO_BATCH), ("max", GPU_MICRO_BATCH)):
        assert options[f"trt_profile_{name}_shapes"] == shapes.format(count)


def test_fixed_shapes_need_no_profile(trained: TrainedModel, tmp_path: Path) -> None:
    info = describe_export(trained, "morph")
    options = make_tensorrt_options(make_file(tmp_path / "file.onnx"), info)
    assert not any("profile" in name for name in options)


@pytest.mark.parametrize(("precision", "enabled"), [("fp32", "0"), ("fp16", "1")])
def test_fp16_is_enabled_for_fp16_files(
    trained: TrainedModel, tmp_path: Path, precision: str, enabled: str
) -> None:
    info = describe_export(trained, "decoder", precision)  # type: ignore[arg-type]
    options = make_tensorrt_options(make_file(tmp_path / "file.onnx"), info)
    assert options["trt_fp16_enable"] == enabled


def test_files_of_other_weights_share_timings_but_no_engine(
    trained: TrainedModel, tmp_path: Path, cache: Path
) -> None:
    """ONNX Runtime names an engine after the file's name and operators, which are the same here."""
    info = describe_export(trained, "decoder")
    path = tmp_path / "file.onnx"
    first, second, again = (
        make_tensorrt_options(make_file(path, content), info) for content in (b"1", b"2", b"1")
    )
    assert first == again
    assert first["trt_engine_cache_path"] != second["trt_engine_cache_path"]
    assert first["trt_timing_cache_path"] == second["trt_timing_cache_path"]
    for options in (first, second):
        assert options["trt_engine_cache_enable"] == "1"
        assert options["trt_timing_cache_enable"] == "1"
        engines = Path(options["trt_engine_cache_path"])
        assert engines.is_dir()
        assert cache in engines.parents


def test_options_are_those_of_this_onnx_runtime(trained: TrainedModel, tmp_path: Path) -> None:
    library = Path(onnxruntime.__file__).parent / "capi/libonnxruntime_providers_tensorrt.so"
    if not library.exists():
        pytest.skip("needs onnxruntime-gpu")
    content = library.read_bytes()
    info = describe_export(trained, "decoder")
    for name in make_tensorrt_options(make_file(tmp_path / "file.onnx"), info):
        assert b"\0" + name.encode() + b"\0" in content, name


def test_import_of_the_wheel_loads_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt.py").write_text("LOADED = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    load_tensorrt()
    module = sys.modules.pop("tensorrt")
    assert isinstance(module, ModuleType)
    assert module.LOADED


def test_without_the_wheel_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # its import fails
    load_tensorrt()
    assert sys.modules["tensorrt"] is None

"""Imports go one way, and a room is entered through its `__init__`."""

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "faceae": Path("faceae"),
    "faceae_shards": Path("shards/faceae_shards"),
    "faceae_export": Path("export/faceae_export"),
    "benchmarks": Path("benchmarks"),
}
"""Top-level packages and where they lie."""

MAY_IMPORT = {
    "faceae_shards.storage": {"faceae_shards"},
    "faceae_shards.images": {"faceae_shards"},
    "faceae_shards.faces": {"faceae_shards", "faceae_shards.images"},
    "faceae_shards.executors": {"faceae_shards", "faceae_shards.storage"},
    "faceae_shards.sources": {
        "faceae_shards",
        "faceae_shards.images",
        "faceae_shards.storage",
    },
    "faceae_shards.dataset": {
        "faceae_shards",
        "faceae_shards.executors",
        "faceae_shards.images",
        "faceae_shards.storage",
    },
    "faceae_shards.packing": {
        "faceae_shards",
        "faceae_shards.dataset",
        "faceae_shards.executors",
        "faceae_shards.faces",
        "faceae_shards.images",
        "faceae_shards.sources",
        "faceae_shards.storage",
    },
    "faceae.data": {"faceae_shards", "faceae.device", "faceae.errors"},
    "faceae.model": {"faceae_shards", "faceae.errors"},
    "faceae.synthetic.canvas": set(),
    "faceae.synthetic.traits": {"faceae.synthetic.canvas"},
    "faceae.synthetic.face": {"faceae.synthetic.canvas", "faceae.synthetic.traits"},
    "faceae.synthetic.drawing": {
        "faceae.synthetic.canvas",
        "faceae.synthetic.face",
        "faceae.synthetic.traits",
    },
    "faceae.synthetic.celeba": {
        "faceae_shards",
        "faceae_shards.executors",
        "faceae.errors",
        "faceae.synthetic.canvas",
        "faceae.synthetic.drawing",
        "faceae.synthetic.face",
        "faceae.synthetic.traits",
    },
    "faceae.synthetic": {"faceae_shards", "faceae_shards.executors", "faceae.errors"},
    "faceae.latent": {
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.distributed",
        "faceae.errors",
        "faceae.model",
    },
    "faceae.runs": {
        "faceae_shards",
        "faceae_shards.faces",
        "faceae.data",
        "faceae.device",
        "faceae.editing",
        "faceae.errors",
        "faceae.framing",
        "faceae.latent",
        "faceae.model",
    },
    "faceae.doctor": {
        "faceae_export",
        "faceae_export.graph",
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.errors",
        "faceae.latent",
        "faceae.model",
        "faceae.runs",
        "faceae.training",
        "faceae.distributed",
        "faceae.training.step",
    },
    "faceae.distributed": {"faceae_shards", "faceae.device", "faceae.errors"},
    "faceae.training.step": {
        "faceae.errors",
        "faceae.model",
        "faceae.runs",
        "faceae.distributed",
    },
    "faceae.tracking": {"faceae_shards", "faceae.errors", "faceae.runs"},
    "faceae.training.records": {
        "faceae_shards",
        "faceae.data",
        "faceae.errors",
        "faceae.model",
        "faceae.pictures",
        "faceae.runs",
        "faceae.tracking",
        "faceae.training.step",
    },
    "faceae.training": {
        "faceae",
        "faceae_shards",
        "faceae_shards.faces",
        "faceae.data",
        "faceae.device",
        "faceae.distributed",
        "faceae.errors",
        "faceae.model",
        "faceae.pictures",
        "faceae.runs",
        "faceae.tracking",
    },
    "faceae.editing": {
        "faceae_shards",
        "faceae_shards.faces",
        "faceae.data",
        "faceae.device",
        "faceae.errors",
        "faceae.framing",
        "faceae.model",
        "faceae.pictures",
    },
    "faceae.explore": {
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.editing",
        "faceae.errors",
        "faceae.model",
    },
    "faceae.evaluation": {
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.editing",
        "faceae.errors",
        "faceae.explore",
        "faceae.latent",
        "faceae.model",
        "faceae.pictures",
        "faceae.runs",
    },
    "faceae.evaluation.edits": {
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.editing",
        "faceae.errors",
        "faceae.model",
        "faceae.pictures",
        "faceae.runs",
    },
    "faceae.evaluation.samples": {
        "faceae_shards",
        "faceae.data",
        "faceae.device",
        "faceae.errors",
        "faceae.explore",
        "faceae.latent",
        "faceae.model",
        "faceae.pictures",
        "faceae.runs",
    },
    "faceae.tuning": {
        "faceae_shards",
        "faceae_shards.executors",
        "faceae_shards.storage",
        "faceae.device",
        "faceae.errors",
        "faceae.evaluation.samples",
        "faceae.latent",
        "faceae.model",
        "faceae.runs",
        "faceae.training",
    },
    "faceae.report": {
        "faceae_shards",
        "faceae.evaluation",
        "faceae.evaluation.edits",
        "faceae.evaluation.samples",
        "faceae.model",
        "faceae.runs",
        "faceae.tuning",
    },
    "faceae.sagemaker": {
        "faceae",
        "faceae_shards",
        "faceae.device",
        "faceae.errors",
        "faceae.evaluation",
        "faceae.evaluation.samples",
        "faceae.runs",
        "faceae.serving",
    },
    "faceae.serving": {
        "faceae",
        "faceae.editing",
        "faceae_export",
        "faceae_shards",
        "faceae.device",
        "faceae.errors",
        "faceae.framing",
        "faceae.latent",
        "faceae.movies",
        "faceae.pictures",
        "faceae.runs",
    },
    "faceae_export.sessions": {"faceae_export", "faceae.errors"},
    "faceae_export.graph": {
        "faceae.editing",
        "faceae.errors",
        "faceae.latent",
        "faceae.model",
        "faceae.runs",
        "faceae_export",
        "faceae_export.sessions",
    },
    "faceae_export.int8": {
        "faceae.errors",
        "faceae_export",
        "faceae_export.graph",
    },
    "faceae_export.formats": {
        "faceae.errors",
        "faceae.model",
        "faceae_shards",
        "faceae_shards.storage",
        "faceae_export",
        "faceae_export.graph",
        "faceae_export.int8",
        "faceae_export.sessions",
    },
    "faceae_export.engines": {
        "faceae.errors",
        "faceae.runs",
        "faceae_export",
        "faceae_export.formats",
        "faceae_export.graph",
        "faceae_export.sessions",
    },
    "faceae_export.generation": {
        "faceae.device",
        "faceae.errors",
        "faceae.latent",
        "faceae.model",
        "faceae.runs",
        "faceae_shards",
        "faceae_export",
        "faceae_export.engines",
        "faceae_export.sessions",
    },
    "faceae_export.web": {
        "faceae.editing",
        "faceae.errors",
        "faceae.runs",
        "faceae_shards",
        "faceae_shards.faces",
        "faceae_export",
        "faceae_export.graph",
    },
}
"""What the modules of a room import besides their own; a package's name stands for the modules
beside its rooms. The command line and pictures import what they need."""

SEES_EXPORT = (
    "faceae_export",
    "faceae.api",
    "faceae.cli",
    "faceae.doctor.checks",
    "faceae.serving",
    "benchmarks",
)
"""Who imports `faceae_export`: what uses it, and nothing it is built on."""


def modules_of(package: str) -> list[tuple[str, Path]]:
    """The name and the file of every module below a package."""
    top, *rest = package.split(".")
    folder = ROOT.joinpath(FOLDERS[top], *rest)
    files = sorted(folder.rglob("*.py"))
    assert files, f"{folder} holds no module"
    base = ROOT / FOLDERS[top]
    return [
        (".".join([top, *file.relative_to(base).with_suffix("").parts]), file) for file in files
    ]


def packages() -> dict[str, Path]:
    """Every package of ours, by its name."""
    named = {}
    for top in FOLDERS:
        for name, file in modules_of(top):
            if file.name == "__init__.py":
                named[name.removesuffix(".__init__")] = file.parent
    return named


PACKAGES = packages()


def imports_of(module: str, file: Path) -> Iterator[str]:
    """The modules of ours that a file imports, by their full names."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import _x` names a module, `from ._x import y` does not.
            names = [
                f"{prefix}.{alias.name}" if is_module(f"{prefix}.{alias.name}") else prefix
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in FOLDERS)


def is_module(name: str) -> bool:
    top, *rest = name.split(".")
    if top not in FOLDERS:
        return False
    return name in PACKAGES or ROOT.joinpath(FOLDERS[top], *rest).with_suffix(".py").is_file()


def room_of(module: str) -> str:
    """The room that a module lies in; beside the rooms its package, in faceae the module itself."""
    rooms = [room for room in MAY_IMPORT if is_inside(module, room)]
    if rooms:
        return max(rooms, key=len)
    top, *rest = module.split(".")
    return ".".join([top, *rest[:1]]) if top == "faceae" else top


def is_inside(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    found = {
        room_of(name)
        for module, file in modules_of(room)
        for name in imports_of(module, file)
        if not is_inside(name, room)
    }
    assert found <= MAY_IMPORT[room]


def test_the_rooms_form_no_circle() -> None:
    rooms = dict(MAY_IMPORT)
    while rooms:
        free = [name for name, needs in rooms.items() if not (needs & rooms.keys())]
        assert free, f"a circle among {sorted(rooms)}"
        for name in free:
            del rooms[name]


def test_every_package_below_the_libraries_is_a_room() -> None:
    libraries = ("faceae_shards.", "faceae_export.")
    unnamed = {
        name
        for name in PACKAGES
        if name.startswith(libraries) and not any(is_inside(name, room) for room in MAY_IMPORT)
    }
    assert unnamed == set()


@pytest.mark.parametrize("top", [top for top in FOLDERS if top != "benchmarks"])
def test_private_modules_are_imported_by_their_own_room_only(top: str) -> None:
    """Below a library's top, the modules beside the rooms are there for all of its rooms."""
    foreign = {
        (module, name)
        for module, file in modules_of(top)
        for name in imports_of(module, file)
        if "._" in name and not is_inside(module, name.partition("._")[0])
    }
    assert foreign == set()


@pytest.mark.parametrize("top", FOLDERS)
def test_export_is_imported_by_its_users_only(top: str) -> None:
    seeing = {
        module
        for module, file in modules_of(top)
        for name in imports_of(module, file)
        if is_inside(name, "faceae_export")
        and not any(is_inside(module, allowed) for allowed in SEES_EXPORT)
    }
    assert seeing == set()


def test_setup_names_every_package() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    named = settings["options"]["packages"].split()
    assert sorted(named) == sorted(name for name in PACKAGES if name.split(".")[0] != "benchmarks")


def test_shards_work_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from faceae_shards import PackConfig, pack"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", ["faceae", "faceae_shards"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = (
        f"import sys, {package}; "
        "assert not {'torch', 'nvidia.dali', 'numpy', 'PIL', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "tests").rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT))
)
def test_every_test_file_says_what_it_is_about(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))

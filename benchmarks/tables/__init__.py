"""Tables of README.md: the essential figures of each results file, as Markdown.

Contenders are those that a file holds, by the names that it gives them.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.tables import faces, generating, loading, packing, scaling, training

TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "align": faces.align,
    "article": training.article,
    "draw": generating.draw,
    "edits": faces.edits,
    "exact": generating.exact,
    "feature_space": faces.feature_space,
    "generate": generating.generate,
    "load": loading.load,
    "load_memory": loading.load_memory,
    "long_runs": training.long_runs,
    "new_faces": faces.new_faces,
    "pack": packing.pack,
    "pack_celeba": packing.pack_celeba,
    "pack_scale": packing.pack_scale,
    "recipe": training.recipe,
    "scaling": scaling.scaling,
    "serve": generating.serve,
    "time_to_quality": training.time_to_quality,
    "train": training.train,
    "tune": training.tune,
    "web": generating.web,
    "zip_directory": packing.zip_directory,
}
"""The function that makes the tables of a result, by the name of its script."""

__all__ = ["TABLES"]

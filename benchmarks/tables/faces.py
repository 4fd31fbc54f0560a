"""Tables of finding, judging and editing faces."""

from typing import Any

from benchmarks.tables._markdown import Result, against, read_rates, table, tables

_CHANGES = {
    "turned": "rotated by up to 30 degrees",
    "scaled": "scaled to 0.4-1",
    "lit": "lit from one side",
}
_SETS = {
    "1,024 components, reconstructions": "reconstructions by 1,024 components",
    "halves of two people": "halves of two people",
    "variational model, new faces": "new faces, variational (smears)",
    "plain model, new faces": "new faces, plain",
    "1,024 components, normal draws": "normal draws of components (painted noise)",
}
"""Sets of pictures by which spaces are compared: worse faults to the right."""
_QUALITIES = {
    "frechet_distance": "Fréchet distance",
    "recall": "recall",
    "coverage": "coverage",
    "sharpness": "sharpness",
    "copied_share": "share of copies",
}


def align(result: Result) -> str:
    """Return how well faces are found, and how fast they are aligned."""
    rates = read_rates(result)
    found = {
        f"{kind}, {_CHANGES.get(change, change)}": figures
        for kind, changes in (
            ("drawn faces", result["drawn"]),
            ("photographs", result["photographs"]),
        )
        for change, figures in changes.items()
        if isinstance(figures, dict)
    }
    found["photographs in larger scenes"] = result["scenes"]
    return tables(
        table(
            ["faces", "found", "median error", "90th percentile"],
            [
                [name, *(f"{each[key]:.3f}" for key in ("recall", "error_median", "error_p90"))]
                for name, each in found.items()
            ],
        ),
        table(
            ["images a second of `pack(align=True)`", "against a centre crop"],
            [
                [group, against(ours, rates["centre crop"][group])]
                for group, ours in rates["aligned face"].items()
            ],
        ),
    )


def feature_space(result: Result) -> str:
    """Return the distances of some sets in each space, and all figures in the built-in one."""
    return tables(
        table(
            ["feature space", *_SETS.values()],
            [
                [name, *(f"{space['ratios'][title]:.1f}" for title in _SETS)]
                for name, space in result["spaces"].items()
            ],
        ),
        table(
            ["set of pictures, in the built-in space", *_QUALITIES.values()],
            [
                [title, *(f"{quality[column]:.2f}" for column in _QUALITIES)]
                for title, quality in result["chosen"].items()
            ],
        ),
    )


def new_faces(result: Result) -> str:
    """Return every trial, the closest new faces first, and held-out photographs."""
    floor = result["photographs"]
    trials = sorted(
        result["trials"].items(), key=lambda item: item[1]["new_faces"]["frechet_distance"]
    )
    return table(
        [
            "model and prior",
            "minutes",
            "PSNR, dB",
            "distance",
            "recall",
            "coverage",
            "sharpness",
            "distance of reconstructions",
        ],
        [
            *([name, *_trial(trial, floor)] for name, trial in trials),
            ["held-out photographs", "", "", "1.0", *_rest(floor), ""],
        ],
    )


def _trial(trial: dict[str, Any], floor: dict[str, float]) -> list[str]:
    new, back = trial["new_faces"], trial["reconstructions"]
    return [
        f"{trial['minutes']:.0f}",
        f"{trial['psnr_db']:.2f}",
        _distance(new, floor),
        *_rest(new),
        _distance(back, floor),
    ]


def _distance(figures: dict[str, float], floor: dict[str, float]) -> str:
    return f"{figures['frechet_distance'] / floor['frechet_distance']:.1f}"


def _rest(figures: dict[str, float]) -> list[str]:
    return [f"{figures[name]:.2f}" for name in ("recall", "coverage", "sharpness")]


def edits(result: Result) -> str:
    """Return the attributes that are also drawn again, by search."""
    return table(
        [
            "attribute, search",
            "turned on",
            "turned off",
            "same person",
            "likeness",
            "drift",
            "drawn again",
        ],
        [
            row
            for search in ("free", "kept")
            for row in _edits(search, result[search]["edits"]["edits"], result[search]["redrawn"])
        ],
    )


def _edits(
    search: str, measured: list[dict[str, Any]], redrawn: list[dict[str, Any]]
) -> list[list[str]]:
    by_name = {edit["name"]: edit for edit in measured}
    return [
        [
            f"{each['name']}, {search}",
            *(
                f"{by_name[each['name']][key]:.0%}"
                for key in ("turned_on", "turned_off", "same_person")
            ),
            *(f"{each[key]:.2f}" for key in ("likeness", "edited_drift", "redrawn_drift")),
        ]
        for each in redrawn
    ]

"""What a report says about edits."""

from collections.abc import Iterator
from dataclasses import dataclass

from faceae.evaluation.edits import EditRecord
from faceae.runs import Run

EDIT_COLUMNS = (
    "judge's accuracy",
    "turned on",
    "turned off",
    "monotonic",
    "same person",
    "mean drift",
)


@dataclass(frozen=True, kw_only=True)
class Edits:
    """Edits of the held-out faces of one split."""

    name: str
    """Of the file, without its suffix."""
    record: EditRecord
    is_current: bool
    """Whether the run still has the weights that were measured."""

    @property
    def explanation(self) -> str:
        """What the figures mean."""
        record = self.record
        persons = "persons" if record.knows_persons else "faces of unknown persons"
        note = "" if self.is_current else " Measured on earlier weights of this run."
        return (
            f"A small network that sees pixels alone judges {record.num_faces:,} held-out faces of "
            f"{record.num_persons:,} {persons}. Turned on and off: share of the faces that change "
            "at strength 2 and -2. Monotonic: share whose score never falls from strength -3 to 3. "
            "Same person: share still nearest to their own person. Drift: change of the other "
            f"attributes at strength 2, in distances between faces with and without them.{note}"
        )

    @property
    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """Name of each direction, and its figures in the order of `EDIT_COLUMNS`."""
        for edit in self.record.edits:
            shares = (
                edit.turned_on,
                edit.turned_off,
                edit.monotonic,
                edit.same_person,
            )
            yield (
                edit.name,
                [
                    f"{edit.judge_accuracy:.2f}",
                    *("-" if share is None else f"{share:.0%}" for share in shares),
                    f"{edit.mean_drift:.2f}",
                ],
            )

    @property
    def drifts(self) -> tuple[list[str], list[str], list[list[float]]]:
        """Names of the directions, names of the attributes, and the drift of each attribute by each
        direction; NaN where a direction is the attribute's own."""
        edits = self.record.edits
        attributes = sorted({name for edit in edits for name in edit.drift})
        drifts = [[edit.drift.get(name, float("nan")) for name in attributes] for edit in edits]
        return [edit.name for edit in edits], attributes, drifts


def read_edits(run: Run, current_weights: str) -> list[Edits]:
    """Return what `faceae eval` measured about edits.

    Args:
        current_weights: `faceae.model.weights_hash` of the run's model.

    Raises:
        FaceaeError: a file is damaged.
    """
    records = [(path.stem, EditRecord.load(path)) for path in run.list_edits()]
    return [
        Edits(name=name, record=record, is_current=record.weights_hash == current_weights)
        for name, record in records
    ]

"""Summaries of drift."""

import pytest

from faceae.evaluation.edits import EditQuality


def make(drift: dict[str, float]) -> EditQuality:
    return EditQuality(
        name="Smiling",
        judge_accuracy=0.9,
        num_without=10,
        num_with=2,
        turned_on=1.0,
        turned_off=None,
        monotonic=1.0,
        mean_scores=(0.0,) * 7,
        drift=drift,
        same_person=1.0,
        median_rank=1.0,
    )


def test_drift_in_either_direction_counts() -> None:
    edit = make({"Young": -0.5, "Male": 0.25})
    assert edit.mean_drift == pytest.approx(0.375)
    assert edit.largest_drift == ("Young", -0.5)


def test_no_other_attribute() -> None:
    assert make({}).mean_drift == 0.0
    assert make({}).largest_drift == ("", 0.0)

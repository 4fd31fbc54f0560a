"""Options of a job, read from text."""

from faceae.sagemaker._options import parse_texts


def test_lists_of_texts_and_of_numbers() -> None:
    kinds = {"tracker": tuple[str, ...], "split": tuple[float, float, float]}
    texts = {"tracker": "mlflow, wandb", "split": "0.9,0.05,0.05"}
    assert parse_texts(texts, kinds) == {
        "tracker": ("mlflow", "wandb"),
        "split": (0.9, 0.05, 0.05),
    }

"""Handler for SageMaker's inference toolkits. The container must have faceae[serve]."""

from faceae.sagemaker import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]

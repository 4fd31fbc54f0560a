"""Fixtures of the tests that need a GPU."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch


@contextmanager
def _error_on_wait() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch warns about the mode itself.
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype", UserWarning)
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def error_on_wait() -> Callable[[], AbstractContextManager[None]]:
    """Context in which code that makes the host wait for the GPU raises RuntimeError."""
    return _error_on_wait

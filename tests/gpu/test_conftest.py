"""The fixtures of this folder, on a CPU."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch


def test_torchs_warning_about_the_debug_mode_is_no_error(
    monkeypatch: pytest.MonkeyPatch, error_on_wait: Callable[[], AbstractContextManager[None]]
) -> None:
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    with error_on_wait():
        assert torch.cuda.get_sync_debug_mode() == 2
    assert torch.cuda.get_sync_debug_mode() == 0

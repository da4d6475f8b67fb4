"""Optional packages: imported, or named with their install line."""

from __future__ import annotations

import math
import sys

import pytest

from pinnml.errors import MissingExtraError
from pinnml.extras import require


def test_a_package_that_is_there_is_returned() -> None:
    assert require("math", "gnn") is math


def test_a_missing_package_is_named_with_its_install_line() -> None:
    with pytest.raises(MissingExtraError, match="no_such_package") as caught:
        require("no_such_package.nn", "gnn")
    assert caught.value.cure == "pip install 'pinnml[gnn]'"


def test_a_missing_extra_is_an_import_error_to_those_who_catch_one() -> None:
    with pytest.raises(ImportError, match=r"pip install 'pinnml\[mesh\]'"):
        require("no_such_package", "mesh")


def test_a_package_whose_shared_library_is_missing_says_so(tmp_path, monkeypatch) -> None:
    (tmp_path / "half_installed.py").write_text("raise OSError('libGLU.so.1: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"libGLU\.so\.1"):
        require("half_installed", "mesh")
    assert "half_installed" not in sys.modules

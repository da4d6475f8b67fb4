"""Optional packages, imported where they are needed and named where they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pinnml.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """The module, imported; MissingExtraError with the install line of the extra if that cannot be done."""
    try:
        return import_module(module)
    except (ImportError, OSError) as error:  # OSError: the package is there, a shared library of its own is not
        raise MissingExtraError(
            f"this needs the optional package '{module}'",
            expected=f"the packages of the extra '{extra}'",
            got=f"{type(error).__name__}: {error}",
            cure=f"pip install 'pinnml[{extra}]'",
        ) from error

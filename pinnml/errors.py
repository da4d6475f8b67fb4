"""Named errors. Each says what happened, what was expected, what came, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

Result = TypeVar("Result")

#: How values known at some places become a coefficient.
TABULATED = (
    "for a table of values write interpolated(x, xs, values), in place of np.interp and of SciPy's splines; else "
    "PyTorch's functions of the field itself"
)
#: What a foreign error says, the mistake behind it, and the cure.
MISTAKES = (
    ("float() argument must be", "takes a field for a number", TABULATED),
    ("Could not infer dtype of Jet", "makes a tensor of a field, which would lose its derivatives", TABULATED),
    ("ufunc", "applies a NumPy function to a field", "use PyTorch's: torch.sin(x) in place of np.sin(x)"),
    (
        "must be real number, not",
        "applies a function of numbers to a field",
        "use PyTorch's: torch.sin(x), not math.sin(x)",
    ),
    ("Boolean value of Tensor", "asks whether a whole field is true", "use torch.where(x < 0.5, a, b) in place of if"),
)


class PinnmlError(Exception):
    """Base of every error that pinnml raises on purpose.

    `expected`, `got` and `cure` are kept as attributes and written on lines of their own. `mistakes`: several errors
    that this one lists.
    """

    mistakes: tuple[PinnmlError, ...] = ()

    def __init__(self, message: str, *, expected: object = None, got: object = None, cure: str | None = None):
        self.expected, self.got, self.cure = expected, got, cure
        lines = [message]
        for label, text in (("expected", expected), ("got", got), ("cure", cure)):
            if text is not None:
                lines.append(f"  {label + ':':<10}{text}")
        super().__init__("\n".join(lines))

    def within(self, place: str) -> PinnmlError:
        """The same error with the place where it happened put in front, such as the name of an equation."""
        if not str(self).startswith(place):
            self.args = (f"{place}: {self}",)
        return self


class ProblemError(PinnmlError):
    """The problem as written does not hold together."""


class UnknownNameError(ProblemError):
    """A name that nothing answers to: an argument, a region, an axis, an option."""


class ShapeError(ProblemError):
    """An array of the wrong shape or kind at the user's border."""


class MissingDerivativeError(ProblemError):
    """A derivative was asked of a jet that does not carry it."""


class UnsupportedFunctionError(ProblemError, TypeError):
    """A function that has no rule for jets."""


class NoAttributeError(ProblemError, AttributeError):
    """A field has no attribute of this name."""


class NonFiniteError(ProblemError):
    """NaN or infinity came out of a user's function."""


class CouplingError(ProblemError):
    """A residual mixes samples, so its Jacobian is not one row a sample."""


class DomainError(PinnmlError):
    """A domain, a region or a sampling rule that cannot be."""


class MeshError(DomainError):
    """A mesh, or a file of one, that cannot be used as it is."""


class PartitionError(DomainError):
    """Parts of a mesh or a graph that cannot be."""


class MeshWarning(UserWarning):
    """Something in a file of a mesh that may be meant otherwise than it is read."""


class SettingsError(PinnmlError):
    """A network, solver or recipe option that cannot be."""


class DeviceError(PinnmlError):
    """The device that was asked for is not there."""


class CheckpointError(PinnmlError):
    """A file that is not a pinnml checkpoint, or only part of one."""


class DataSetError(PinnmlError):
    """A file that is not a data set of a surrogate, or samples that do not belong to what they are used for."""


class ScriptError(PinnmlError):
    """A problem script that cannot be read, run or used."""


class MissingExtraError(PinnmlError, ImportError):
    """An optional package is not installed."""


def unknown_name(
    kind: str, name: object, valid: Iterable[str], *, where: str = "", cure: str | None = None
) -> UnknownNameError:
    """The error for a name that is not among `valid`, with the nearest one suggested where no cure is known."""
    valid = sorted(valid)
    near = get_close_matches(str(name), valid, n=1)
    guess = f"did you mean '{near[0]}'?" if near else f"use one of the names above, or leave the {kind} out"
    return UnknownNameError(
        f"unknown {kind} '{name}'{' in ' + where if where else ''}",
        expected="one of " + ", ".join(valid) if valid else f"no {kind} at all",
        got=repr(name),
        cure=cure or guess,
    )


def raise_all(mistakes: Iterable[PinnmlError], what: str) -> None:
    """Raise what was found: one error as it is, several as one that lists them, with each in its `mistakes`."""
    found = [each for error in mistakes for each in error.mistakes or (error,)]
    if len(found) == 1:
        raise found[0]
    if found:
        kind = type(found[0]) if all(type(each) is type(found[0]) for each in found) else ProblemError
        listed = "\n".join(f"{number}. {each}" for number, each in enumerate(found, start=1))
        error = kind(f"{what} has {len(found)} mistakes\n{listed}")
        error.mistakes = tuple(found)
        raise error


def caught(function: Callable[..., Any], *arguments: Any) -> Iterator[PinnmlError]:
    """The named error that a call raises, if it does."""
    try:
        function(*arguments)
    except PinnmlError as error:
        yield error


def all_of(calls: Iterable[Callable[[], Result]], what: str) -> list[Result]:
    """What all the calls return; if some raise named errors the others are tried all the same, and all are told."""
    results, mistakes = [], []
    for call in calls:
        try:
            results.append(call())
        except PinnmlError as error:
            mistakes.append(error)
    raise_all(mistakes, what)
    return results


def mistake(error: Exception, what: str) -> ProblemError | None:
    """A foreign error in a function of the user's, in words and with the cure; None for one that is not known."""
    for sign, words, cure in MISTAKES:
        if sign in str(error):
            expected, got = "functions that PyTorch has for whole fields", str(error).splitlines()[0]
            return ProblemError(f"{what} {words}", expected=expected, got=got, cure=cure)
    return None

"""What a picture shows: fields, how far they are off, and how the solver got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pinnml.errors import ShapeError, unknown_name
from pinnml.output.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Panel:
    """One field of a snapshot, to be drawn beside its error where there is something to compare with.

    Attributes:
        snapshot: the points and the arrays; a field over one axis and time is one in the plane of the two.
        name: the array in `point_data` to draw; vectors take a row for each component.
        exact: the array in `point_data` to compare with, of the same shape; None for none.
        exact_label: what to call it in titles.
        relative_error: the error of the whole field as the caller measured it; None computes the relative
            root mean square over the points.
        axis_labels: names of the first, second and third coordinate.
        equal_aspect: whether a unit is as long on both axes; None means yes, unless one of them is `t` or
            reaches twenty times as far as the other.
        held: the values of axes that are not drawn, by name.

    Raises:
        UnknownNameError: `name` or `exact` is not in `point_data`.
        ShapeError: the two have different shapes.
    """

    snapshot: Snapshot
    name: str
    exact: str | None = None
    exact_label: str = "exact"
    relative_error: float | None = None
    axis_labels: Sequence[str] = ("x", "y", "z")
    equal_aspect: bool | None = None
    held: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = self.snapshot.point_data
        for name in (self.name, self.exact):
            if name is not None and name not in data:
                raise unknown_name("point array", name, data, where="the snapshot of a panel")
        if self.exact is not None and data[self.exact].shape != data[self.name].shape:
            raise ShapeError(
                f"'{self.name}' and '{self.exact}' cannot be compared",
                expected=f"{data[self.name].shape}, as '{self.name}'",
                got=f"{data[self.exact].shape}",
                cure="evaluate both at the points of the snapshot, with as many components",
            )


@dataclass(frozen=True)
class History:
    """How a solver went: s reports, each a step; None or NaN stands where nothing was measured.

    Attributes:
        loss, held_out, error: `(s,)` or empty; drawn on a logarithmic scale.
        steps: `(s,)` step numbers, the horizontal axis if they are there.
        seconds: `(s,)` time since the start, the horizontal axis if there are no steps; without either, the
            reports are counted from one.
        levels: `(s,)` or empty; a line marks where they change.

    Raises:
        ShapeError: two that are not empty have different lengths.
    """

    loss: Sequence[float | None] = ()
    held_out: Sequence[float | None] = ()
    error: Sequence[float | None] = ()
    steps: Sequence[float] = ()
    seconds: Sequence[float] = ()
    levels: Sequence[float | None] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in vars(self).items() if len(column)}
        if len(set(lengths.values())) > 1:
            raise ShapeError(
                "the columns of a history differ in length",
                expected="one entry for each report in every column that is not empty",
                got=", ".join(f"{name} {length}" for name, length in lengths.items()),
                cure="put None where nothing was measured",
            )

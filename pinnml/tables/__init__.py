"""Tables as coefficients: values known at some places, read between them with exact derivatives."""

from pinnml.tables.cell_table import CellTable
from pinnml.tables.grid_table import GridTable
from pinnml.tables.interpolation import interpolated, looked_up

"""Tables as coefficients: values known at some places, read between them with exact derivatives."""

from pinnml.tables.interpolation import interpolated

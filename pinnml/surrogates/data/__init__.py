"""Solved draws of a random problem as data: made, split by draw, scaled, kept in files."""

from pinnml.surrogates.data.data_set import DataSet
from pinnml.surrogates.data.generate import Made, generate
from pinnml.surrogates.data.mesh_arrays import digest_of, mesh_arrays, mesh_of
from pinnml.surrogates.data.normaliser import Normaliser, Scale
from pinnml.surrogates.data.samples import Samples
from pinnml.surrogates.data.series import Series
from pinnml.surrogates.data.split import Split

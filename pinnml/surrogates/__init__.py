"""Networks on the nodes of a mesh that answer a parametric problem in one evaluation."""

from pinnml.surrogates.data import DataSet, generate

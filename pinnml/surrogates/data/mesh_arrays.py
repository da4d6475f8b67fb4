"""Meshes as arrays and words, for files, and meshes made of these again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pinnml.domains import Mesh
from pinnml.errors import DataSetError

#: Regions that every mesh gives itself.
OWN = ("interior", "boundary", "unnamed boundary")


def digest_of(mesh: Mesh) -> str:
    """What tells meshes apart."""
    return mesh.to_json()["digest"]["sha256"][0]


def mesh_arrays(mesh: Mesh) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A record, and arrays: points, cells, and of each named region the numbers of its cells or corners of facets."""
    kind = mesh.cells.kind
    regions = [name for name in mesh.regions if name not in OWN]
    arrays = {"points": mesh.cells.points, "cells": mesh.cells.nodes[:, kind.to_file]}
    for place, name in enumerate(regions):
        pieces = mesh.pieces(name)
        arrays[f"region{place}"] = pieces.cell if pieces.local is None else pieces.corners
    names = {"axes": list(mesh.axes.names), "regions": regions}
    return {"kind": kind.name, "digest": digest_of(mesh), **names}, arrays


def mesh_of(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Mesh:
    """The mesh that was written. Raises DataSetError for another one, MeshError for none."""
    groups = {name: arrays[f"region{place}"] for place, name in enumerate(record["regions"])}
    parts = {name: numbers for name, numbers in groups.items() if numbers.ndim == 1}
    faces = {name: corners for name, corners in groups.items() if corners.ndim == 2}
    points, cells = arrays["points"], arrays["cells"]
    mesh = Mesh(points, cells, record["kind"], parts=parts, faces=faces, axes=record["axes"])
    if digest_of(mesh) != record["digest"]:
        expected, got = f"the mesh {record['digest']:.12}", f"the mesh {digest_of(mesh):.12}"
        raise DataSetError("the mesh of a data set is not what it was", expected=expected, got=got)
    return mesh

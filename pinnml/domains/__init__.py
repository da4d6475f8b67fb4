"""Where problems live: boxes, meshes and scattered points."""

from pinnml.domains.box import TIME, Box
from pinnml.domains.intervals import Graded, Parameter, Parts, Periodic
from pinnml.domains.meshes.mesh import Mesh
from pinnml.domains.meshes.mesh_record import MeshRecord
from pinnml.domains.meshes.solid import Solid
from pinnml.domains.meshes.times import MeshTimes
from pinnml.domains.points import Points
from pinnml.domains.records import domain_from_json, same_domain
from pinnml.domains.sample import NEXT_TO, Domain, Grid, Sample

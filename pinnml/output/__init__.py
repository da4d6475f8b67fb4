"""Fields as files for ParaView, as a picture, and the folder that a run leaves behind."""

from pinnml.output.cells import CELL_KINDS
from pinnml.output.panel import History, Panel
from pinnml.output.picture import draw
from pinnml.output.run_folder import CHECKPOINT, RunFolder
from pinnml.output.snapshot import Snapshot
from pinnml.output.vtk import load_libraries, pieces_of, write_pvd, write_vtp, write_vtu
from pinnml.output.workplace import Workplace, unfinished, workplace

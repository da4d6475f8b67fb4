"""Files of meshes and surfaces: .msh, .vtu, .vtk, .xdmf and .stl, each by a reader of its own."""

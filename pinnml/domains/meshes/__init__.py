"""Unstructured meshes: checks and repairs, groups, sampling, and what is a domain of them; `files/` reads them."""

"""Unstructured meshes: files, checks and repairs, groups, sampling, and what is a domain of them."""

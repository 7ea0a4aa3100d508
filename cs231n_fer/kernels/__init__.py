"""The engine: compiled loops, which need Numba only. The README.md of this folder is its chapter.

Kernels are written in the small language of vectors/. To add a compiled operation, follow the
docstring of fast_layers/. Its kernel goes into the module of its name here, or into elementwise if
it treats every number alike; a new module goes into the order of reading in README.md as well.
"""

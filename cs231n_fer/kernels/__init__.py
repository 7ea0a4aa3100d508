"""The engine: compiled loops, which need Numba only. The README.md of this folder is its chapter.

Kernels are written in the small language of vectors/. To add a compiled operation: its definition
goes into layers/, its kernel here, its argument checks, memory and cache into the module of the
same name in fast_layers/, and its engine into nets/ladder.py.
"""

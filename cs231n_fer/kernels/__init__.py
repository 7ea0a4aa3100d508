"""The engine: compiled loops, Numba only; README.md in this folder is the chapter that goes with it.

Kernels are written in the small language of vectors/. To add a compiled operation: its definition
in layers/, its kernel here, its checks, memory and cache in the module of the same name in
fast_layers/, and its rung in nets/ladder.py.
"""

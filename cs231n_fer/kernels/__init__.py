"""The engine: compiled loops, Numba only; README.md in this folder is the chapter that goes with it."""

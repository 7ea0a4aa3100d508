"""The small language that kernels are written in, and what it is made of; it knows no layer.

    jit          the decorators that own every Numba option, and the cache of compiled code
    calls        steps: functions that kernels call by their address, and the plans that both of them read
    simd         the words: vectors that are loaded, multiplied, added and stored (simd_python: the same in NumPy)
    blocks, arithmetic
                 what the words are made of
    machine      which vectors this processor has
    helper       a second process that compiles too

To add a word: its LLVM code in simd (or in arithmetic, if it only computes), the same in simd_python,
and a row in the tests of both.
"""

"""The small language that kernels are written in, and its parts; it knows no layer.

    jit            the decorators that own every Numba option, and the cache of compiled code
    calls          steps: functions that kernels call by their address; the records that both take
    simd           the words: vectors that are loaded, multiplied, added and stored
    simd_python    the same words in NumPy
    blocks         the type of these vectors, and what generates their code
    arithmetic     the words that only compute
    machine        which vectors this processor has
    helper         a second process that compiles as well

To add a word: its LLVM code in simd (or in arithmetic, if it only computes), the same in
simd_python, and a row in the tests of both.
"""

"""Arrays: where their memory comes from, how they reach a kernel, and how they are copied.

    arena    memory for activations, gradients and workspaces, reused from step to step
    seam     layout: every array on its way to a kernel is made contiguous here
    copying  what copy.copy, copy.deepcopy and pickle make of objects that hold arrays
    flat     arrays by name that are views of one flat array

To add a helper for arrays: it belongs here if it knows neither layers nor files; it may import
shapes and types.
"""

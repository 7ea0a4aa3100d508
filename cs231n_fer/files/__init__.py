"""Files that are read unchanged or not at all (sealed), and checkpoints that survive a crash.

To add a kind of file: write it by sealed.write_sealed inside checkpoint.replacing, and read it by
sealed.read_sealed. A checkpoint takes any arrays, and in its info whatever JSON can hold.
"""

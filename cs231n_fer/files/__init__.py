"""Files that are read either unchanged or not at all (sealed), and crash-safe checkpoints.

To add a kind of file: write it by sealed.write_sealed inside checkpoint.replacing, and read it by
sealed.read_sealed. A checkpoint takes any arrays, and in its info whatever JSON can hold.
"""

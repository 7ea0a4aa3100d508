"""Built-in synthetic faces, so that everything runs without a download.

    brushes      soft shapes, lines and paint on arrays of pixels
    drawing      a face from numbers, painted with brushes
    synthetic    emotions as action units; the faces of a seed
    regions      where a face shows its emotion
    clips        faces that move

To add an emotion or an action unit: a row in the tables of synthetic.
"""

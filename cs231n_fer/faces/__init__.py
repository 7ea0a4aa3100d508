"""Built-in faces, so that everything runs with no download.

    drawing      lines and shading from numbers
    synthetic    emotions as action units; faces of a seed
    regions      where a face shows its emotion
    clips        faces that move

To add an emotion or an action unit: a row in the tables of synthetic.
"""

"""Long-running checks of the promises in README.md, and the scripts that write its tables.

A check writes its result to results/reliability, from which reliability.py makes the tables in
README.md and results/RELIABILITY.md. readme_results.py writes the tables of accuracy and speed,
readme_picture.py the picture. calibration.py and crops.py measure the packaged net, and exchange.py
how much networks change in other programs. redraw_figures.py draws the figures of both runs from
their stored numbers.

To add a promise, write tests and a row of PROMISES in promises.py, or a script that writes a result
as the others do.
"""

"""Long-running checks of README's promises, and the scripts that write README's tables and picture.

A check writes its result to results/reliability, from which reliability.py makes the tables in
README.md and results/RELIABILITY.md; readme_results.py writes the tables of accuracy and speed.

To add a promise: write tests and a row of PROMISES in promises.py, or a script that writes such a
result.
"""

"""What README promises, tried for longer than tests may take: each script writes a result to
results/reliability, of which reliability.py makes README's table.

To add a promise: tests and a row of PROMISES in promises.py, or a script that writes such a result.
"""

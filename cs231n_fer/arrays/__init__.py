"""Arrays: where their memory comes from (arena), and how many of them share one block (flat).

To add a helper for arrays: it goes here if it knows neither layers nor files; it imports at most shapes.
"""

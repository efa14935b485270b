"""Scores what was fetched: `python score.py`."""

import pandas as pd

table = pd.read_csv("data/calls.csv")
table["share"] = (table["calls"] / table["calls"].sum()).round(2)
table.to_csv("data/shares.csv", index=False)
print(table.to_string(index=False))

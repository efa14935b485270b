"""Scores every customer: `python score.py`."""

from pathlib import Path

from features.table import customers
from scoring.model import score

table = customers()
table["score"] = score(table)
outputs = Path("outputs")
outputs.mkdir(exist_ok=True)
table.to_csv(outputs / "scores.csv", index=False)
print(table.to_string(index=False))

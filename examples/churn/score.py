"""Scores every customer: `python score.py`."""

import os
from pathlib import Path

from features.table import customers
from scoring.model import score

table = customers()
table["score"] = score(table)
outputs = Path(os.environ.get("SATURN_OUTPUTS", "outputs"))
outputs.mkdir(exist_ok=True)
table.to_csv(outputs / "scores.csv", index=False)
print(table.to_string(index=False))

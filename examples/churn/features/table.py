"""A small table of customers."""

import pandas as pd


def customers() -> pd.DataFrame:
    """Six customers: months with us, calls to support."""
    return pd.DataFrame({"name": ["Ann", "Bo", "Cy", "Di", "Ed", "Flo"], "months": [3, 26, 14, 1, 40, 8], "calls": [4, 0, 2, 5, 1, 3]})

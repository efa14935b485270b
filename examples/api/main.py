"""An API: `uvicorn main:app`."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/score")
def score(calls: int, months: int) -> dict[str, float]:
    return {"score": round(calls / (calls + months / 6), 3)}

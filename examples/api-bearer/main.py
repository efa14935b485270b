"""An API that checks its callers' bearer token by itself: `API_KEY=letmein uvicorn main:app`."""

import os
import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

app = FastAPI()


def caller(given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
    if not secrets.compare_digest(given.credentials.encode(), os.environ["API_KEY"].encode()):
        raise HTTPException(401, "This is not the key.", {"WWW-Authenticate": "Bearer"})


@app.get("/score", dependencies=[Depends(caller)])
def score(calls: int, months: int) -> dict[str, float]:
    return {"score": round(calls / (calls + months / 6), 3)}

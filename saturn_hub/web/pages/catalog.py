"""The catalog as cards: what each choice has, costs, and why it cannot be taken."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saturn_hub.backends.local import software
from saturn_hub.model.access import Person
from saturn_hub.model.catalog import Catalog, may_use
from saturn_hub.model.resolve import Machine, why_not_size


def catalog_view(catalog: Catalog, person: Person, machine: Machine, images: Path) -> dict[str, Any]:
    """Sizes, images and tools with a `reason` where `person` cannot have them here."""
    now = datetime.now(UTC)
    sizes = [
        {
            "name": s.name,
            "title": s.title or s.name,
            "description": s.description,
            "cpu": f"{s.cpu:g}",
            "memory": s.memory,
            "gpu": s.gpu,
            "price_per_hour": str(s.price_per_hour),
            "reason": why_not_size(s, person, machine),
        }
        for s in catalog.sizes
    ]
    offered = []
    for image in catalog.images:
        reason = "" if may_use(image.groups, tuple(person.teams), person.admin) else f"For {', '.join(image.groups)}."
        reason = reason or software.why_no_image(images, image.name, now)
        offered.append(
            {
                "name": image.name,
                "title": image.title or image.name,
                "description": image.description,
                "tools": image.tools,
                "contains": contents(images / image.name),
                "reason": reason,
            }
        )
    tools = [{"name": t.name, "title": t.title, "description": t.description, "reason": missing(t.name, images, now)} for t in catalog.tools]
    return {"sizes": sizes, "images": offered, "tools": tools, "currency": catalog.currency}


def contents(prefix: Path) -> list[str]:
    """What a prepared prefix has, in a few words."""
    python = next((each.name for each in sorted((prefix / "lib").glob("python3*"))), "")
    found = [python.replace("python", "Python ")] if python else []
    site = prefix / "lib" / python / "site-packages"
    found += [
        title
        for folder, title in (("jupyterlab", "JupyterLab"), ("pandas", "pandas"), ("streamlit", "Streamlit"), ("fastapi", "FastAPI"))
        if (site / folder).is_dir()
    ]
    without = software.why_missing(prefix.parent, "r", datetime.now(UTC))
    return found + ([f"R: {without}"] if without else ["R"] if shutil.which("R") else [])


def missing(tool: str, images: Path, now: datetime) -> str:
    """Why a tool is not to be had on this machine, empty where it is."""
    if tool == "vscode":
        return software.why_no_vscode(images, now)
    if tool == "rstudio" and not shutil.which("rserver"):
        return "RStudio Server (rserver) is not installed on this machine."
    return ""

"""What `rarecase report` shows of a folder, whatever kind it is."""

import json
from pathlib import Path

from rarecase.evaluate import plots
from rarecase.evaluate.report import report_of_run, rows_of_differences, rows_of_grid, rows_of_run, table
from rarecase.experiment.curves import curves
from rarecase.run_folder import facts


def show(folder: Path, style: str = "text") -> str:
    """
    The report of a run or a simulation as text; its picture goes to `report.png` in the folder.

    Args:
        folder (`Path`): of a run or a simulation, finished or not.
        style (`str`): `text`, `markdown` or `json`.

    Raises:
        `RunFolderError`: where the folder is neither.

    Example:
        >>> print(show(Path("out")))
    """
    kind = facts(folder, "run", "grid")["kind"]
    report = curves(folder) if kind == "grid" else report_of_run(folder)
    done = report["strategies"] if kind == "grid" else report["rounds"]
    if done:
        draw = plots.picture_of_grid if kind == "grid" else plots.picture_of_run
        draw(report, folder / "report.png")
    if style == "json":
        return json.dumps(report, indent=2, ensure_ascii=False)
    if not done:
        return "nothing done yet"
    tables = [rows_of_grid(report), rows_of_differences(report)] if kind == "grid" else [rows_of_run(report)]
    picture = f"picture: {folder / 'report.png'}"
    return "\n\n".join([*(table(header, rows, style) for header, rows in tables), picture])

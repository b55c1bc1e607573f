"""A data file against its table's schema, before anything is shared. Everything stays on this machine."""

from __future__ import annotations

from pathlib import Path

from accord.base.errors import Refused
from accord.cli.places import locate
from accord.cli.screen import console, grid
from accord.data import check as data
from accord.node.folder import PARTY_FILE, StudyFolder, open_folder
from accord.plan.catalog import TableInfo
from accord.study.document import FILE, Study


def check(file: Path, place: Path | None, table: str | None) -> None:
    """Say that the file keeps its schema, and what was read of it. Raises BadData with the first bad cells."""
    folder = open_folder(locate(place).study) if place else _here()
    study = folder.study()
    known = _meant(folder, file)
    name = table or _only_table(study, known, file)
    if name not in study.catalog.tables:
        raise Refused(f"the study has no table {name!r}", do=f"it has {', '.join(study.catalog.tables)}")
    info = study.catalog.tables[name]
    owner = known[1] if known and known[0] == name else None
    checked = data.check(file, info.schema, _rows_max(info, owner), _constant(info, owner))
    print(f"{file}: {checked.rows} rows keep the schema of {name}" + (f", as {owner}'s" if owner else ""))
    rows = [(one.name, one.declared, str(one.filled), str(one.empty)) for one in checked.columns]
    console().print(grid(("column", "declared", "filled", "empty"), rows, right=("filled", "empty")))
    if checked.unread:
        print(f"not in the schema, so never read: {', '.join(checked.unread)}")


def _here() -> StudyFolder:
    """The study that the person stands in, or the only one just below."""
    below = sorted(path.parent for path in Path().glob(f"*/{FILE}"))
    if Path(FILE).is_file() or len(below) != 1:
        return open_folder(locate(Path()).study) if not below or Path(FILE).is_file() else _which(below)
    return open_folder(below[0])


def _which(found: list[Path]) -> StudyFolder:
    raise Refused(f"several studies are here: {', '.join(map(str, found))}", do="name one with --study")


def _meant(folder: StudyFolder, file: Path) -> tuple[str, str] | None:
    """(table, owner) for which some party on this machine has named the file."""
    for party in folder.local_parties():
        if (folder.party(party).path / PARTY_FILE).is_file():
            for table, path in folder.party(party).data().items():
                if path == file.resolve():
                    return table, party
    return None


def _only_table(study: Study, known: tuple[str, str] | None, file: Path) -> str:
    if known:
        return known[0]
    if len(study.catalog.tables) == 1:
        return next(iter(study.catalog.tables))
    names = ", ".join(study.catalog.tables)
    raise Refused(f"which table is {file.name} for?", rule="no party here has named this file", do=f"name one of {names} with --table")


def _rows_max(info: TableInfo, owner: str | None) -> int:
    return info.rows_max[info.owners.index(owner)] if owner else max(info.rows_max)


def _constant(info: TableInfo, owner: str | None) -> dict[str, str]:
    """Where a column names the owner, its rows hold the owner's value alone."""
    if owner is None or info.owner_column is None:
        return {}
    return {info.owner_column: info.owner_values[info.owners.index(owner)]}

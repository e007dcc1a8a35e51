"""The tables `people` and `access`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from memory.database.database import Database
from memory.database.schema import access, people
from memory.errors import NameTaken, UnknownPerson
from memory.people import Access, AccessKind, Person, Role
from memory.task_models import utc_now

FIRST = "owner"
"""The name of the first person, who may do everything."""
_OPENED = [access.c[name] for name in Access.model_fields]


class PersonChanges(TypedDict, total=False):
    """What may change of a person."""

    role: Role
    password: str
    active: bool


class PeopleTables:
    """Who may use the control room. Secrets are never stored, only their digests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.changes = 0
        """How often this process has changed who may come in."""

    def owner(self) -> Person:
        """The first person, an admin, who is made when they are not there."""
        values = {"name": FIRST, "role": Role.ADMIN, "password": "", "active": True, "created_at": utc_now()}
        insert = self._database.insert(people).values(values).on_conflict_do_nothing(index_elements=["name"])
        with self._database.write() as connection:
            connection.execute(insert)
        return self.find(FIRST)

    def add(self, person: Person) -> None:
        """Raises `NameTaken`."""
        try:
            with self._database.write() as connection:
                connection.execute(people.insert().values(person.model_dump(exclude={"id"})))
        except IntegrityError:
            raise NameTaken(person.name) from None

    def find(self, name: str) -> Person:
        """Raises `UnknownPerson`."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(people).where(people.c.name == name)).mappings().first()
        if row is None:
            raise UnknownPerson(name)
        return Person.model_validate(dict(row))

    def all(self) -> list[Person]:
        """In the order in which they were added."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(people).order_by(people.c.id)).mappings()
            return [Person.model_validate(dict(row)) for row in rows]

    def change(self, name: str, **changes: Unpack[PersonChanges]) -> None:
        """Change a person; who gets another password or is shut out is signed out everywhere.

        Raises `UnknownPerson`.
        """
        person = self.find(name)
        with self._database.write() as connection:
            connection.execute(people.update().where(people.c.id == person.id).values(**changes))
            if "password" in changes or changes.get("active") is False:
                gone = sa.and_(
                    access.c.person_id == person.id, access.c.kind.not_in((AccessKind.KEY, AccessKind.IDENTITY))
                )
                connection.execute(access.delete().where(gone))
        self.changes += 1

    def remove(self, name: str) -> None:
        """Take a person out, with all sessions, keys and links. Raises `UnknownPerson`."""
        person = self.find(name)
        with self._database.write() as connection:
            connection.execute(access.delete().where(access.c.person_id == person.id))
            connection.execute(people.delete().where(people.c.id == person.id))
        self.changes += 1

    def remember_hash(self, name: str, password: str) -> None:
        """Store a better hash of the same password; nobody is signed out."""
        with self._database.write() as connection:
            connection.execute(people.update().where(people.c.name == name).values(password=password))

    def open(
        self,
        kind: AccessKind,
        person: Person,
        digest: str,
        *,
        expires_at: datetime | None,
        label: str = "",
        scopes: Sequence[Role] = (),
    ) -> int:
        """Let whoever knows the secret with this digest act as `person`; gives the id. What has expired is deleted."""
        values = {"kind": kind, "person_id": person.id, "digest": digest, "label": label, "scopes": list(scopes),
                  "created_at": utc_now(), "expires_at": expires_at}  # fmt: skip
        with self._database.write() as connection:
            connection.execute(access.delete().where(access.c.expires_at <= utc_now()))
            number: int = connection.execute(access.insert().values(values).returning(access.c.id)).scalar_one()
        return number

    def known_by(self, kind: AccessKind, digest: str) -> tuple[Person, Access] | None:
        """Who is known by the secret with this digest, if it has not expired and the person may still come in."""
        with self._database.read() as connection:
            return _of(connection, kind, digest)

    def use_up(self, kind: AccessKind, digest: str) -> Person | None:
        """The same, once: the secret is worth nothing afterwards, whoever else uses it at this moment."""
        with self._database.write() as connection:
            found = _of(connection, kind, digest)
            if found is None:
                return None
            gone = connection.execute(access.delete().where(access.c.id == found[1].id)).rowcount
            return found[0] if gone else None

    def services(self) -> dict[str, str]:
        """Who is signed in by a service elsewhere -> what it is called."""
        query = sa.select(people.c.name, access.c.label).join_from(access, people, people.c.id == access.c.person_id)
        with self._database.read() as connection:
            rows = connection.execute(query.where(access.c.kind == AccessKind.IDENTITY))
            return {row.name: row.label for row in rows}

    def all_keys(self) -> list[tuple[str, Access]]:
        """All keys of programs, each with its person's name, the newest first."""
        query = (
            sa.select(people.c.name, *_OPENED)
            .join_from(access, people, people.c.id == access.c.person_id)
            .where(access.c.kind == AccessKind.KEY)
            .order_by(access.c.id.desc())
        )
        with self._database.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [(row.pop("name"), Access.model_validate(row)) for row in rows]

    def has_key(self, number: int) -> bool:
        """Whether this key is good."""
        query = sa.select(access.c.id).where(access.c.id == number, access.c.kind == AccessKind.KEY, _is_valid())
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def close(self, number: int) -> bool:
        """End a session or withdraw a key; False if there is none of that id."""
        with self._database.write() as connection:
            closed = connection.execute(access.delete().where(access.c.id == number)).rowcount > 0
        self.changes += 1
        return closed


def _is_valid() -> sa.ColumnElement[bool]:
    return sa.or_(access.c.expires_at.is_(None), access.c.expires_at > utc_now())


def _of(connection: sa.Connection, kind: AccessKind, digest: str) -> tuple[Person, Access] | None:
    query = (
        sa.select(*(column.label(f"their_{column.name}") for column in people.c), *_OPENED)
        .join_from(access, people, people.c.id == access.c.person_id)
        .where(access.c.digest == digest, access.c.kind == kind, _is_valid(), people.c.active)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    person = {column.name: row[f"their_{column.name}"] for column in people.c}
    return Person.model_validate(person), Access.model_validate({name: row[name] for name in Access.model_fields})

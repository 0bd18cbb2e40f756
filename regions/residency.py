"""What a stack file says about residency: regimes, data classes with rules of their own, and recorded relaxations."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from regions.catalogue import CountryTerm, Evidence

Answer = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""What somebody answers for: blanks are none."""


class Purpose(StrEnum):
    """What happens to the data in a country; ``keys``: where the keys that encrypt it are held."""

    REST = "rest"
    PROCESS = "process"
    LOGS = "logs"
    BACKUP = "backup"
    KEYS = "keys"


class DataClass(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    HEALTH = "health"
    PAYMENT = "payment"


class Basis(StrEnum):
    """The ground of a relaxation: an adequacy decision of the catalogue, or a document of the stack's owner."""

    ADEQUACY = "adequacy"
    DOCUMENTED = "documented"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataClassRules(_Frozen):
    """Stricter places for one data class; a purpose left out has none."""

    rest: tuple[CountryTerm, ...] | None = Field(None, min_length=1)
    process: tuple[CountryTerm, ...] | None = Field(None, min_length=1)
    logs: tuple[CountryTerm, ...] | None = Field(None, min_length=1)
    backup: tuple[CountryTerm, ...] | None = Field(None, min_length=1)
    keys: tuple[CountryTerm, ...] | None = Field(None, min_length=1)


class Relaxation(_Frozen):
    """Countries that a regime's default leaves out, and for which somebody answers.

    ``reference``: the document behind basis ``documented`` (standard contractual clauses, say), or what shows that an
    adequacy decision of limited scope covers the recipient.
    """

    regime: str
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    data_classes: tuple[DataClass, ...] = Field(min_length=1)
    countries: tuple[CountryTerm, ...] = Field(min_length=1)
    basis: Basis
    reference: Answer | None = None
    reason: Answer
    approver: Answer
    expires: date

    @model_validator(mode="after")
    def _documented(self) -> Self:
        if self.basis is Basis.DOCUMENTED and self.reference is None:
            raise ValueError("expected reference, the document that basis documented stands on")
        return self


class Residency(_Frozen):
    """The stack file's residency section. Regimes intersect; ``allow`` and ``deny`` only take away.

    ``evidence``: the documents that regimes want named. ``catalogue_days``: how old the catalogue's newest fact may be.
    """

    regimes: tuple[str, ...] = Field(min_length=1)
    data_classes: dict[DataClass, DataClassRules] = Field(min_length=1)
    allow: tuple[CountryTerm, ...] | None = Field(None, min_length=1)
    deny: tuple[CountryTerm, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    evidence: dict[Evidence, str] = {}
    catalogue_days: int = Field(365, ge=1, le=1096)

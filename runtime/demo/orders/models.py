"""What the order system takes and answers. Money is integer cents; every object is closed."""

from typing import Annotated, Literal

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

OrderId = Annotated[str, Field(pattern=r"^[0-9]{1,10}$", description="Order number")]
OrderIdPath = Annotated[str, Path(pattern=r"^[0-9]{1,10}$", description="Order number")]
SkuPath = Annotated[str, Path(pattern=r"^[A-Z]{2,10}-[0-9]{1,3}$", description="Article number, like PUMP-3")]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=16, max_length=200)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Order(_Closed):
    id: OrderId
    customer: str
    sku: str
    status: Literal["open", "delayed", "shipped", "delivered", "cancelled"]
    total_cents: int


class Stock(_Closed):
    sku: str
    available: int


class Cancelled(_Closed):
    id: OrderId
    status: Literal["cancelled"]


class RefundRequest(_Closed):
    amount_cents: int = Field(gt=0, le=100_000_000, description="Amount to give back, in cents")


class Refunded(_Closed):
    order_id: OrderId
    amount_cents: int
    status: Literal["refunded"]


class Problem(_Closed):
    """Why not. ``code`` is stable."""

    code: str
    detail: str

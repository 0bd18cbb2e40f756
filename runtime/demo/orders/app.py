"""The order system's HTTP side. Operation ids are the tools' names; every answer has a schema."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

import asyncpg
import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from runtime.demo.orders import store as orders
from runtime.demo.orders.models import (
    Cancelled,
    Key,
    Order,
    OrderIdPath,
    Problem,
    Refunded,
    RefundRequest,
    SkuPath,
    Stock,
)
from runtime.demo.orders.settings import Settings
from runtime.demo.orders.store import Conflict, NotReady, Store
from runtime.demo.orders.tokens import IssuerUnavailable, TokenRefused, Tokens
from runtime.errors import Refused
from runtime.identity.tokens import CoreClaims

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT")
_unknown: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}
_refused: dict[int | str, dict[str, Any]] = {**_unknown, 409: {"model": Problem}}

router = APIRouter()


async def caller(
    request: Request, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> CoreClaims:
    """Who calls, by a token for exactly the operation asked for; raises ``TokenRefused``, ``Refused``."""
    if token is None:
        raise TokenRefused("no token")
    return await request.app.state.tokens.check(token.credentials, request.scope["route"].operation_id)


def store(request: Request) -> Store:
    return request.app.state.store


Authorized = Annotated[CoreClaims, Depends(caller)]
Data = Annotated[Store, Depends(store)]


@router.get("/orders/{order_id}", operation_id="orders.get", responses=_unknown, response_model=Order)
async def get_order(order_id: OrderIdPath, _: Authorized, data: Data) -> Any:
    """Look up one order: customer, sku, status, total in cents."""
    return await data.order(order_id) or _problem(404, "order_unknown", f"there is no order {order_id}")


@router.get("/stock/{sku}", operation_id="stock.check", responses=_unknown, response_model=Stock)
async def check_stock(sku: SkuPath, _: Authorized, data: Data) -> Any:
    """How many pieces of an article are in stock."""
    return await data.stock(sku) or _problem(404, "sku_unknown", f"there is no article {sku}")


@router.post(
    "/orders/{order_id}/cancellation", operation_id="orders.cancel", responses=_refused, response_model=Cancelled
)
async def cancel_order(order_id: OrderIdPath, key: Key, _: Authorized, data: Data) -> Any:
    """Cancel one order that is not delivered yet."""
    request = {"operation": "orders.cancel", "order_id": order_id}
    status, body = await data.once(key, request, lambda connection: orders.cancel(connection, order_id))
    return JSONResponse(body, status)


@router.post("/orders/{order_id}/refund", operation_id="orders.refund", responses=_refused, response_model=Refunded)
async def refund_order(order_id: OrderIdPath, key: Key, wanted: RefundRequest, by: Authorized, data: Data) -> Any:
    """Give the customer money back for one order, once, at most its total."""
    cents = wanted.amount_cents
    request = {"operation": "orders.refund", "order_id": order_id, "amount_cents": cents}
    effect = lambda connection: orders.refund(connection, order_id, cents, by.txn)  # noqa: E731
    status, body = await data.once(key, request, effect)
    return JSONResponse(body, status)


@router.get("/healthz", include_in_schema=False)
async def healthz(data: Data) -> JSONResponse:
    ready = data.opened.is_set()
    return JSONResponse({"ready": ready}, 200 if ready else 503)


def create_app(settings: Settings, http: httpx.AsyncClient) -> FastAPI:
    """The application. It answers 503 until its databases are there; ``http`` fetches the issuer's keys."""
    data = Store(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        opening = asyncio.create_task(data.open())
        yield
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        await data.close()

    app = FastAPI(title="Orders", version="1.0.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.store, app.state.tokens = data, Tokens(settings.issuer, settings.url, http)
    app.include_router(router)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    return app


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(Problem(code=code, detail=detail).model_dump(), status, headers)


def _handler(status: int, code: str) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handle(_: Request, error: Exception) -> JSONResponse:
        return _problem(status, code, str(error))

    return handle


async def _refusal(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        raise error
    return _problem(error.status, error.code, error.detail)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    places = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return _problem(422, "request_invalid", "; ".join(places))


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[JSONResponse]]] = {
    TokenRefused: _handler(401, "token_refused"),
    Conflict: _handler(409, "key_conflict"),
    NotReady: _handler(503, "not_ready"),
    IssuerUnavailable: _handler(503, "issuer_unavailable"),
    Refused: _refusal,
    asyncpg.PostgresError: _handler(503, "database_refused"),
    RequestValidationError: _invalid,
}

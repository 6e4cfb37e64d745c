"""The review's web application: what the page asks, and what it is answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pairsets.images import ImageError
from pairsets.review.judgement.session import Review
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import KeyReusedError
from pairsets.review.store.verdicts import REASONS, ReviewError, Verdict, plain_name
from pairsets.review.web import messages
from pairsets.review.web.guard import PAGES, Guard, GuardMiddleware
from pairsets.review.web.pictures import BROWSER_KINDS, NoPictureError, ServedPictures
from pairsets.review.web.service import ApiError, Desk

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
# Threads of pictures: while some wait for a slow disk, others answer the judges.
_PICTURES = 8
_LOG = logging.getLogger(__name__)
_PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": messages.Problem} for status in (400, 403, 404, 409, 413, 415, 422, 503)
}
Who = Annotated[
    str | None,
    Header(
        alias="X-Annotator",
        description="The percent-encoded UTF-8 name of who asks.",
        max_length=1000,
    ),
]


def create_app(review: Review, *, guard: Guard) -> FastAPI:
    """The application: pages, pictures and the API, behind the guard."""
    desk = Desk(review)
    app = FastAPI(
        title="lookalikes review",
        version=_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(_api(desk))
    _add_files(app, desk.pictures)
    _add_problems(app)
    app.add_middleware(GuardMiddleware, guard=guard)
    return app


def _api(desk: Desk) -> APIRouter:
    """The routes of the API."""
    api = APIRouter(prefix="/api", responses=_PROBLEMS)
    _add_work(api, desk)
    _add_history(api, desk)
    return api


def _add_work(api: APIRouter, desk: Desk) -> None:
    """Routes of judging: the set, who judges, the next pairs, verdicts, skips and undoing."""
    store = desk.store

    @api.get("/set")
    def _set() -> messages.ReviewSet:
        pairs = store.pairs
        return messages.ReviewSet(
            name=desk.review.name,
            digest=desk.digest,
            pairs=len(pairs),
            to_judge=desk.board.to_judge,
            suspects=len(store.suspects()),
            suspects_first=desk.board.suspects_first,
            overlap=store.overlap,
            annotators=list(store.annotators.values()),
            as_=desk.review.annotator,
            reasons=list(REASONS),
            version=_version(),
        )

    @api.post("/annotators")
    def _annotators(body: messages.NewAnnotator) -> messages.Annotator:
        name = plain_name(body.name)
        store.annotator(name)
        return messages.Annotator(name=name)

    @api.get("/people")
    def _people() -> messages.People:
        return desk.people()

    @api.get("/next")
    def _next(count: messages.Count = 6, who: Who = None) -> messages.Work:
        return desk.work(desk.person(who), count)

    @api.post("/judgements")
    def _judge(body: messages.Judgement, who: Who = None) -> messages.Work:
        return desk.judge(desk.person(who), body)

    @api.post("/skips")
    def _skip(body: messages.Skip, who: Who = None) -> messages.Work:
        return desk.skip(desk.person(who), body)

    @api.post("/unsure")
    def _unsure(body: messages.Unsure, who: Who = None) -> messages.Work:
        return desk.be_unsure(desk.person(who), body)

    @api.post("/undo")
    def _undo(body: messages.Undo, who: Who = None) -> messages.Undone:
        return desk.undo(desk.person(who), body)


def _add_history(api: APIRouter, desk: Desk) -> None:
    """Routes of what was judged: looked at, changed, disagreed on, decided."""

    @api.get("/pairs/{pair}")
    def _pair(pair: messages.Row, who: Who = None) -> messages.Pair:
        me = desk.person(who)
        desk.refuse_stranger(pair)
        desk.refuse_unknown(me, pair)
        return desk.history.pair(me, pair)

    @api.get("/history")
    def _history(
        query: Annotated[messages.HistoryQuery, Query()], who: Who = None
    ) -> messages.Listing:
        return desk.history.judged(desk.person(who), query)

    @api.post("/changes")
    def _change(body: messages.Change, who: Who = None) -> messages.Pair:
        me = desk.person(who)
        desk.refuse_stranger(body.pair)
        if not desk.board.has_judged(me, body.pair):
            raise ApiError(403, f"pair {body.pair} is not judged by you yet", "not_judged")
        desk.store.change(me, body.pair, Verdict.of(body.verdict, body.reason), key=body.key)
        return desk.history.pair(me, body.pair)

    @api.get("/disagreements")
    def _disagreements(
        query: Annotated[messages.DisagreementsQuery, Query()], who: Who = None
    ) -> messages.Listing:
        return desk.history.disagreements(desk.person(who), query)

    @api.post("/decisions")
    def _decide(body: messages.Decision, who: Who = None) -> messages.Pair:
        me = desk.person(who)
        desk.refuse_uncounted(body.pair)
        desk.refuse_agreed(body.pair)
        return desk.decide(me, body)

    @api.get("/agreement")
    def _agreement() -> messages.Agreements:
        return desk.agreement()


def _add_files(app: FastAPI, pictures: ServedPictures) -> None:
    """Pictures by name, and the page's own files by a list made now."""
    files = static_files(STATIC)

    def page(name: str) -> Response:
        return _file(files, name if name in files else "index.html")

    for path in PAGES:
        name = f"{path.strip('/') or 'index'}.html"
        app.add_api_route(
            path, lambda name=name: page(name), include_in_schema=False, response_model=None
        )

    @app.get("/static/{name:path}", include_in_schema=False, response_model=None)
    def _static(name: str) -> Response:
        return _file(files, name)

    @app.get("/favicon.ico", include_in_schema=False, response_model=None)
    def _icon() -> Response:
        return _file(files, "favicon.ico") if "favicon.ico" in files else Response(status_code=204)

    # Not the threads that answer all else; and what is sent as it is waits for nothing large.
    reading, making = CapacityLimiter(_PICTURES), CapacityLimiter(_PICTURES)
    shown: dict[str, object] = {kind: {} for kind in sorted(BROWSER_KINDS)}

    @app.get(
        "/image/{name}",
        responses={200: {"content": shown}, **_PROBLEMS},
        response_class=Response,
    )
    async def _image(name: str) -> Response:
        try:
            picture = await to_thread.run_sync(pictures.ready, name, limiter=reading)
            if picture is None:
                picture = await to_thread.run_sync(pictures.get, name, limiter=making)
        except NoPictureError as error:
            raise ApiError(404, str(error), "no_picture") from None
        except ImageError as error:
            raise ApiError(415, f"the picture cannot be shown: {error}", "bad_picture") from None
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(picture.data, media_type=picture.kind, headers=headers)


def static_files(folder: Path) -> dict[str, Path]:
    """The page's own files, by their names below the folder."""
    return {
        file.relative_to(folder).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix in KINDS
    }


def _file(files: Mapping[str, Path], name: str) -> Response:
    found = files.get(name)
    if found is None:
        raise ApiError(404, "there is no such page", "not_found")
    # Asked anew each time: an old script with a new page would be worse than slow.
    headers = {"Cache-Control": "no-cache"}
    return Response(found.read_bytes(), media_type=KINDS[found.suffix], headers=headers)


def _add_problems(app: FastAPI) -> None:
    """Every error in one form."""

    def answer(problem: messages.Problem, status: int) -> Response:
        content = problem.model_dump()
        for name in ("work", "pair"):
            if content[name] is None:
                del content[name]
        return JSONResponse(content, status_code=status)

    def problem(status: int, error: str, code: str) -> Response:
        return answer(messages.Problem(error=error, code=code), status)

    @app.exception_handler(ApiError)
    async def _api_error(_: Request, error: ApiError) -> Response:
        return answer(error.problem, error.status)

    @app.exception_handler(KeyReusedError)
    async def _reused(_: Request, error: KeyReusedError) -> Response:
        return problem(409, str(error), "key_reused")

    @app.exception_handler(ReviewError)
    async def _review_error(_: Request, error: ReviewError) -> Response:
        return problem(422, str(error), "refused")

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        # What came is not repeated: it may be anything.
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        return problem(422, f"{where}: {first['msg']}".encode(errors="replace").decode(), "invalid")

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        words = {404: "there is no such page", 405: "that cannot be done here"}
        sentence = words.get(error.status_code, str(error.detail))
        return problem(error.status_code, sentence, f"http_{error.status_code}")

    @app.exception_handler(DatabaseError)
    async def _database(request: Request, error: DatabaseError) -> Response:
        _LOG.error("the database of the review: %s", error)
        asked = request.method in ("GET", "HEAD")
        what, code = ("read", "not_read") if asked else ("written", "not_saved")
        return problem(503, f"the review's database cannot be {what} now ({error.why})", code)


def _version() -> str:
    try:
        return metadata.version("lookalikes")
    except metadata.PackageNotFoundError:
        return "unknown"

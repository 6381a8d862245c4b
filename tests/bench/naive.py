"""What the API is compared with: the plainest Chalice handlers, on stock SQLAlchemy and pg8000.

`POST /jobs` inserts a job for a tenant, without an event and without an idempotency key;
`GET /bare` does nothing.
"""

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from chalice.app import Chalice, Response
from sqlalchemy import create_engine, insert, text

from chalicelib.adapters.postgres.tables import TABLES
from chalicelib.crm.commands import CreateJob
from chalicelib.crm.model import Job


def naive_app(database_url: str) -> Chalice:
    """Return an app on `database_url`, with one connection."""
    parts = urlsplit(database_url)
    engine = create_engine(
        f"postgresql+pg8000://{parts.username}:{parts.password}"
        f"@{parts.hostname}:{parts.port}{parts.path}",
        pool_size=1,
    )
    app = Chalice(app_name="naive")

    @app.route("/bare")  # type: ignore[untyped-decorator]
    def bare() -> dict[str, str]:
        return {"status": "ok"}

    @app.route("/jobs", methods=["POST"])  # type: ignore[untyped-decorator]
    def create_job() -> Response:
        request = app.current_request
        tenant = UUID(request.headers["x-tenant-id"])
        command = CreateJob.model_validate_json(request.raw_body)
        now = datetime.now(UTC)
        job = Job(
            id=uuid4(),
            tenant_id=tenant,
            version=1,
            created_at=now,
            updated_at=now,
            **command.values(),
        )
        row = {name: getattr(job, name) for name in Job.model_fields}
        with engine.begin() as connection:
            connection.execute(
                text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": str(tenant)}
            )
            connection.execute(insert(TABLES["job"]).values(**row))
        return Response(
            body=json.loads(job.to_json()),
            status_code=201,
            headers={"Location": f"/jobs/{job.id}"},
        )

    return app

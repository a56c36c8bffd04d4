# One image for the API and every worker: what runs is the command. It holds what production needs and no more; the
# servers of `make demo`, the checks and the tests are not in it.

FROM python:3.13-slim AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY deploy/requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN groupadd --system --gid 10001 portfolio \
    && useradd --system --uid 10001 --gid portfolio --no-create-home --shell /usr/sbin/nologin portfolio
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY deploy/healthcheck.py deploy/
COPY portfolio portfolio/
COPY ingestion ingestion/
COPY transactions transactions/
COPY positions positions/
COPY orchestrator orchestrator/
USER portfolio
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--no-ws", "--workers", "2", \
     "--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "10", \
     "portfolio.wsgi:application"]

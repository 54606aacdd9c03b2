# One image, three ways to run it:
#   up     (default) door, worker and an embedded Valkey on the volume /data; without RELAY_UPSTREAM a sandbox, too
#   serve  the door alone, work  a worker alone, both with RELAY_REDIS_URL (compose.yaml does this)
# Dependencies come from requirements*.lock with their hashes; the final image has neither pip nor the build's tools.

FROM python:3.13-slim AS wheel
WORKDIR /src
COPY requirements-dev.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY relay relay
COPY workers workers
RUN python -m hatchling build -t wheel -d /dist

FROM python:3.13-slim AS installed
WORKDIR /src
RUN python -m venv --without-pip /opt/relay
COPY requirements.lock ./
RUN pip --python /opt/relay/bin/python install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: -r requirements.lock
COPY --from=wheel /dist/*.whl /dist/
RUN pip --python /opt/relay/bin/python install --no-cache-dir --disable-pip-version-check --no-deps --no-index /dist/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Plausible Relay" \
      org.opencontainers.image.description="A durable queue in front of Plausible's event endpoint" \
      org.opencontainers.image.licenses="MIT"

# The id is fixed, so that a volume's files keep their owner from one image to the next.
RUN groupadd --gid 10001 relay \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin relay \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=installed /opt/relay /opt/relay

# A container is reached from outside itself, so the door listens on all its addresses; the sandbox stays inside.
ENV PATH=/opt/relay/bin:$PATH \
    RELAY_LISTEN=0.0.0.0:8000 \
    RELAY_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# For `up` and `serve`. A worker listens nowhere: compose.yaml shows how to ask for its heartbeat instead.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['RELAY_LISTEN'].rpartition(':')[2] + '/health/ready', timeout=2)"]

ENTRYPOINT ["relay"]
CMD ["up"]

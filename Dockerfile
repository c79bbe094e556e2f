# syntax=docker/dockerfile:1

FROM python:3.13-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /tmp/base.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --require-hashes -r /tmp/base.txt

FROM python:3.13-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRUNKLINE_ENV=production \
    TRUNKLINE_DATA_DIR=/var/lib/trunkline \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /srv/trunkline
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin trunkline \
    && install -d -o trunkline -g trunkline /var/lib/trunkline
COPY --from=builder /opt/venv /opt/venv
COPY . .
# Static files and bytecode are made here, so that the running container needs to write neither.
# They need no secrets, so this one step runs with the embedded defaults.
RUN TRUNKLINE_ENV=embedded TRUNKLINE_DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q apps config \
    && rm -rf /tmp/build
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--host", "0.0.0.0"]

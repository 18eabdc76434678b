# syntax=docker/dockerfile:1.7
# newswatch and Airflow, from requirements.lock and nothing else: Airflow's own image would bring other versions of the
# same packages along. Every package is checked against its hash. One is compiled, for log-ins by LDAP; git is not needed.

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.12.12-slim-bookworm AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_CACHE_DIR=/cache UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
# What python-ldap is compiled with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libldap2-dev libsasl2-dev \
    && rm -rf /var/lib/apt/lists/*
RUN uv venv --python python3.12 /opt/newswatch
WORKDIR /src
# First what seldom changes: editing newswatch doesn't install Airflow anew.
COPY requirements.lock requirements-dev.lock ./
RUN --mount=type=cache,target=/cache \
    uv pip install --python /opt/newswatch/bin/python --require-hashes --build-constraints requirements-dev.lock \
        --only-binary :all: --no-binary python-ldap -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY newswatch newswatch
COPY cli cli
COPY dags dags
COPY jobs jobs
COPY observe observe
COPY ingest ingest
COPY transforms transforms
COPY store store
COPY search search
COPY alerts alerts
COPY delivery delivery
COPY embedded embedded
COPY web web
COPY kibana kibana
COPY config config
# The build tools are locked and checked as well.
RUN --mount=type=cache,target=/cache \
    uv build --wheel --build-constraints requirements-dev.lock --require-hashes --out-dir /dist . \
    && uv pip install --python /opt/newswatch/bin/python --no-deps /dist/newswatch-*.whl

FROM python:3.12.12-slim-bookworm
# What briefings are set in beyond Latin, Greek, Cyrillic and Hebrew letters; what python-ldap speaks by.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-noto-core fonts-noto-cjk libldap-2.5-0 libsasl2-2 \
    && rm -rf /var/lib/apt/lists/*
# Group 0, as Elasticsearch's and Airflow's images do, so that any user id may be given at run time.
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --create-home --shell /bin/bash newswatch \
    && install -d -o 50000 -g 0 -m 0770 /opt/airflow/logs /opt/airflow/auth /opt/airflow/archive \
        /opt/airflow/watch \
    # Its file system is read-only: without this file Airflow would write one of its defaults.
    && touch /opt/airflow/airflow.cfg
COPY --from=build /opt/newswatch /opt/newswatch
# Airflow's chart for Kubernetes calls commands through this name.
RUN printf '#!/bin/sh\nexec "$@"\n' > /entrypoint && chmod 755 /entrypoint
ENV PATH=/opt/newswatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/newswatch/lib/python3.12/site-packages/dags \
    AIRFLOW__FAB__CONFIG_FILE=/opt/newswatch/lib/python3.12/site-packages/web/webserver_config.py \
    AIRFLOW__CORE__LOAD_EXAMPLES=false
USER 50000:0
WORKDIR /opt/airflow
CMD ["newswatch", "--help"]

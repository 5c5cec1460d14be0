# The control plane and the command line: docker build -f charts/images/controlplane.Dockerfile .
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY registry registry
COPY controlplane controlplane
COPY sidecar sidecar
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir --target=/opt/breakwater ".[controlplane,cli,kubernetes]"
RUN sed -i "1s|.*|#!/usr/bin/python3|" /opt/breakwater/bin/breakwater*

# Python without a shell or a package manager.
FROM gcr.io/distroless/python3-debian12
COPY --from=build /opt/breakwater /opt/breakwater
ENV PATH=/opt/breakwater/bin:/usr/bin PYTHONPATH=/opt/breakwater PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["breakwater-controlplane"]

# The sidecar, which needs the standard library and its core: docker build -f charts/images/sidecar.Dockerfile .
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY registry registry
COPY controlplane controlplane
COPY sidecar sidecar
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --target=/opt/breakwater .
RUN cd /opt/breakwater && rm -r controlplane registry mesh bin/breakwater bin/breakwater-controlplane \
    && sed -i "1s|.*|#!/usr/bin/python3|" bin/breakwater*

# Python without a shell or a package manager.
FROM gcr.io/distroless/python3-debian12
COPY --from=build /opt/breakwater /opt/breakwater
ENV PATH=/opt/breakwater/bin:/usr/bin PYTHONPATH=/opt/breakwater PYTHONDONTWRITEBYTECODE=1
USER 15001:15001
ENTRYPOINT ["breakwater-sidecar"]

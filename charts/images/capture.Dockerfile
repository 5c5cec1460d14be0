# The init container that redirects a pod's traffic: docker build -f charts/images/capture.Dockerfile .
FROM debian:12-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-minimal && rm -rf /var/lib/apt/lists/*
COPY sidecar /opt/breakwater/sidecar
RUN rm -r /opt/breakwater/sidecar/core && python3 -m compileall -q /opt/breakwater

# Rules are made with Debian's own programs. Pods that redirect run it as root, which the image itself does not.
FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends nftables iptables python3-minimal \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/breakwater /opt/breakwater
ENV PYTHONPATH=/opt/breakwater PYTHONDONTWRITEBYTECODE=1
USER 10003:10003
ENTRYPOINT ["python3", "-m", "sidecar.capture"]

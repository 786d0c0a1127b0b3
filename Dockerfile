# One image a service: `docker buildx bake` builds all four (docker-bake.hcl).
#
# builder: the locked dependencies and the project's wheels in a virtual environment without pip
# <service>: the bare base and that environment; nothing of the build stays
#
# No package manager and no shell feature beyond POSIX is used, so that any base with Python can stand in (PYTHON_IMAGE).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /build
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /build/bin/python -m pip install --quiet --constraint constraints.txt hatchling
ARG SERVICE
COPY libs/ libs/
COPY services/${SERVICE}/ services/${SERVICE}/
RUN /build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels \
    libs/common libs/echo "services/${SERVICE}"
# pip works on the environment from outside and is never in it. Byte code is made here, for the root is read-only later.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/smoker \
    && /build/bin/python -m pip --python /opt/smoker/bin/python install --quiet --no-compile \
         --constraint constraints.txt --find-links /wheels "smoker-${SERVICE}" \
    && find /opt/smoker -type d \( -name tests -o -name testing \) -prune -exec rm -rf {} + \
    && find /opt/smoker -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.[ch]' -o -name '*.pyi' \) -delete \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/smoker/lib

FROM ${PYTHON_IMAGE} AS service
ARG SERVICE
ARG VERSION=dev
ARG DESCRIPTION=""
LABEL org.opencontainers.image.title="smoker-${SERVICE}" \
      org.opencontainers.image.description="${DESCRIPTION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/smoker/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/smoker /opt/smoker
USER 65532:65532
EXPOSE 9464

FROM service AS tcp-echo
EXPOSE 8080
ENTRYPOINT ["smoker-tcp-echo"]

FROM service AS udp-echo
EXPOSE 8081/udp
ENTRYPOINT ["smoker-udp-echo"]

FROM service AS http-echo
EXPOSE 8082
ENTRYPOINT ["smoker-http-echo"]

FROM service AS prober
ENTRYPOINT ["smoker-prober"]
CMD ["run"]

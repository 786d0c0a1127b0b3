# One image per service: `docker buildx bake` builds all five (docker-bake.hcl).
#
# builder: the locked dependencies and the project's wheels in a virtual environment without pip
# <service>: the bare base and that environment, without build tools
#
# The build uses no package manager and only POSIX shell, so that any base image with Python works (PYTHON_IMAGE).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# Third-party packages come from the index, each file checked against its hash (make lock); without a wheel for this base they are built
# with the locked tools. The project's own packages come only from this tree, never from a package of the same name on the index.
COPY dev/release/tools.txt dev/release/packages.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /build \
    && /build/bin/python -m pip install --quiet --require-hashes --requirement tools.txt \
    && /build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --require-hashes --requirement packages.txt \
        --wheel-dir /others
ARG SERVICE
COPY dev/closure.py dev/
COPY libs/common/pyproject.toml libs/common/
COPY libs/outcome/pyproject.toml libs/outcome/
COPY libs/kube/pyproject.toml libs/kube/
COPY libs/echo/pyproject.toml libs/echo/
COPY libs/diagnosis/pyproject.toml libs/diagnosis/
COPY services/${SERVICE}/pyproject.toml services/${SERVICE}/
RUN python -m venv --without-pip /opt/smoker \
    && python dev/closure.py others "${SERVICE}" > others.txt \
    && /build/bin/python -m pip --python /opt/smoker/bin/python install --quiet --no-compile --no-index --find-links /others \
        --requirement others.txt
COPY libs/ libs/
COPY services/${SERVICE}/ services/${SERVICE}/
# Byte code is compiled here, because the root file system is read-only later.
RUN python dev/closure.py ours "${SERVICE}" > ours.txt \
    && /build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /ours --requirement ours.txt \
    && /build/bin/python -m pip --python /opt/smoker/bin/python install --quiet --no-compile --no-index \
        --find-links /ours --find-links /others "smoker-${SERVICE}" \
    && find /opt/smoker -type d \( -name tests -o -name testing \) -prune -exec rm -rf {} + \
    && find /opt/smoker -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.[ch]' -o -name '*.pyi' \) -delete \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/smoker/lib

FROM ${PYTHON_IMAGE} AS stripped
COPY dev/release/unused.txt /
# hadolint ignore=SC2086
RUN while read -r pattern; do case $pattern in /*) rm -rf $pattern ;; esac; done < /unused.txt && rm /unused.txt

# A deletion makes no image smaller, so what is left is copied as one layer, which all images share.
FROM scratch AS base
# hadolint ignore=DL3067
COPY --from=stripped / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8

FROM base AS service
ARG SERVICE
ARG VERSION=dev
ARG DESCRIPTION=""
LABEL org.opencontainers.image.title="smoker-${SERVICE}" \
      org.opencontainers.image.description="${DESCRIPTION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/smoker/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=builder /opt/smoker /opt/smoker
# Some base images, such as Docker's own, lack the byte code of the standard library. Without this line each start would compile the
# modules that it imports (0.4 s of CPU), because the root file system is read-only later.
RUN PYTHONDONTWRITEBYTECODE='' "smoker-${SERVICE}" --help >/dev/null
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

FROM service AS hub
EXPOSE 8083
ENTRYPOINT ["smoker-hub"]

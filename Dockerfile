# The api as an image. Build it with BuildKit (docker build . or docker compose build).
# SQLite, libpq and OpenSSL are built into the binary: at run time it needs libc and libgcc, nothing else.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p muong-server \
    && install -D -m 0755 target/release/muong /out/muong

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/muong --shell /usr/sbin/nologin muong \
    && install -d -m 0700 -o muong -g muong /var/lib/muong
COPY --from=build /out/muong /usr/local/bin/muong
COPY LICENSE /usr/share/doc/muong/LICENSE
COPY data/README.md /usr/share/doc/muong/DATA.md

# By number, so that an orchestrator can tell that it is not root.
USER 10001:10001
# The defaults sqlite://muong.db and data_dir "." land here. On PostgreSQL only the ledger of
# erasures is of lasting value (MUONG_ERASURE_LEDGER; all replicas share it), as long as the signing key comes from outside (MUONG_SIGNING_KEY_FILE).
WORKDIR /var/lib/muong
VOLUME /var/lib/muong
ENV MUONG_LISTEN=0.0.0.0:8080 \
    MUONG_LOG__FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM

# bash opens the connection itself, so the image needs no HTTP client. Ready means: the database answers
# and its migrations are applied.
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r -t 3 _ status _ <&3 && [ \"$status\" = 200 ]"]

ENTRYPOINT ["muong"]
CMD ["serve"]

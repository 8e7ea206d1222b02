# Dockerfile - the gateway as an image: build, test, and a small one that runs. How to use it: doc/containers.md.
#
#   docker build -t opitios-alpaca .            the image
#   docker build --target test .                builds only when the unit tests pass
#
# The same sources and packages give the same bytes: SOURCE_DATE_EPOCH is the time of all that is made here.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
ARG DEBIAN_FRONTEND=noninteractive
# For builds that want more, as EXTRA_PACKAGES=ccache CC="ccache gcc"; nothing of it reaches the image.
ARG EXTRA_PACKAGES=""
ARG CC=gcc
ARG CCACHE_DIR=/ccache
ARG JOBS=""
# The list of packages is install.sh's, so that there is one. Of node-llhttp only the C sources are wanted, not node.
COPY dev/install.sh /src/dev/install.sh
RUN set -eu; . /src/dev/install.sh; apt-get update -q; \
    apt-get install -y -q --no-install-recommends $(echo $BUILD_PACKAGES $EXTRA_PACKAGES | sed 's/node-llhttp//'); \
    cd /tmp; apt-get download -q node-llhttp; dpkg -x node-llhttp_*.deb /; rm -rf node-llhttp_*.deb /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG SOURCE_DATE_EPOCH=0
ARG OPITIOS_REVISION=release
# With its symbols, 6 MB: crash reports name functions and lines (doc/crashes.md).
RUN set -eu; autoreconf -fi >/dev/null 2>&1; mkdir -p /build; cd /build; \
    /src/configure -q CC="$CC" CFLAGS="-O2 -g -ffile-prefix-map=/src=. -ffile-prefix-map=/build=." \
        --prefix=/usr --sysconfdir=/etc --localstatedir=/var --libexecdir=/usr/libexec --without-systemdsystemunitdir; \
    make -s -j"${JOBS:-$(nproc)}" OPITIOS_REVISION="$OPITIOS_REVISION"; \
    make -s install DESTDIR=/out OPITIOS_REVISION="$OPITIOS_REVISION" >/dev/null; \
    rm -rf /out/usr/share/man /out/usr/share/bash-completion; \
    install -D -m 644 /src/examples/opitios-alpaca.conf /out/etc/opitios-alpaca/opitios-alpaca.conf; \
    find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM build AS test
# Arguments once more: not every builder hands on what the stage before was given. test_master is left to ./test: it looks at
# the descriptors of a process that is not to be traced, for which a build lacks CAP_SYS_PTRACE.
ARG DEBIAN_FRONTEND=noninteractive
ARG CC=gcc
ARG CCACHE_DIR=/ccache
ARG JOBS=""
RUN set -eu; apt-get update -q; apt-get install -y -q --no-install-recommends libcriterion-dev procps python3 sqlite3; \
    cd /build; /src/configure -q CC="$CC" --enable-werror; make -s -j"${JOBS:-$(nproc)}" all; make -s -j"${JOBS:-$(nproc)}" check TESTS=; \
    make -s check TESTS="$(sed -n 's/\<test_master\>//; s/^TESTS += //p' /src/tests/unit/*/module.mk | tr '\n' ' ')"

FROM ${BASE} AS final
ARG DEBIAN_FRONTEND=noninteractive
ARG SOURCE_DATE_EPOCH=0
# The base's own fixes, which it gets later than the archive; the libraries, certificates for the upstream, and a user. What apt
# writes about itself would differ with every build.
RUN set -eu; apt-get update -q; apt-get upgrade -y -q --no-install-recommends; \
    apt-get install -y -q --no-install-recommends ca-certificates libcurl4 libdw1 libevent-core-2.1-7 libevent-extra-2.1-7 \
        libhiredis0.14 libinih1 libjansson4 libmsgpackc2 libpq5 libsqlite3-0 libzip4 zlib1g; \
    groupadd -g 1001 opitios-alpaca; \
    useradd -u 1001 -g 1001 -M -d /var/lib/opitios-alpaca -s /usr/sbin/nologin opitios-alpaca; \
    install -d -m 700 -o 1001 -g 1001 /var/lib/opitios-alpaca; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/cache/ldconfig/* /var/lib/dpkg/*-old \
        /var/log/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /tmp/*
COPY --from=build /out/ /
ARG VERSION=0.1.0
ARG OPITIOS_REVISION=release
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="opitios-alpaca" \
    org.opencontainers.image.description="Self-hosted market-data gateway for Alpaca: real data only" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${OPITIOS_REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
# What lies outside is reached from outside: probes and scrapes come to the admin address.
ENV OPITIOS_HTTP_ADDRESS=0.0.0.0:8081 \
    OPITIOS_ADMIN_ADDRESS=0.0.0.0:8082 \
    OPITIOS_STATE_DIR=/var/lib/opitios-alpaca
USER 1001:1001
WORKDIR /
VOLUME ["/var/lib/opitios-alpaca"]
EXPOSE 8081 8082
STOPSIGNAL SIGTERM
# Asks the control socket: neither a shell nor an HTTP client is needed.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 CMD ["opitios-ctl", "health"]
# The master is pid 1 and does what one has to: it takes signals and reaps whoever is left to it.
ENTRYPOINT ["opitios-alpaca"]
